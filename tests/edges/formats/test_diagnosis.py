from __future__ import annotations

import json

from driftgauge.edges.formats.diagnosis import diagnoses_json, diagnosis_json
from driftgauge.edges.http.errors import json_response
from driftgauge.edges.http.openapi.schemas_diagnosis import DiagnosisAnswer

from tests.edges.web.diagnoses import CATEGORIES, NUMBERS, RIGHT, WRONG


def test_a_diagnosis_is_written_with_unknown_numbers_as_null() -> None:
    shown = diagnosis_json(WRONG, "m", "1", CATEGORIES)
    answer = json.loads(bytes(json_response(diagnoses_json([shown], {})).body))
    DiagnosisAnswer.model_validate(answer)
    (found,) = answer["models"]
    first = found["causes"][0]
    assert (first["title"], first["explains"], first["since"]) == ("Change of unit", ["wind"], "2023-11-14T20:13:20Z")
    assert first["evidence"] == {"factor": 1.8, "unit": "°F as °C", "offset": None}
    assert [action["command"] for action in first["actions"]] == ["curl -s 'http://h/drift/status?feature=temp'", None]
    assert [point["value"] for point in found["dependence"]["points"]] == ["north", "<b>", None]
    assert found["steps"][1] == {
        "name": "drift",
        "title": "Drift",
        "status": "wrong",
        "finding": "temp has drifted.",
        "looked_at": ["8 features", "1,000 rows"],
    }


def test_the_answer_for_several_models_has_the_state_of_the_worst() -> None:
    right, wrong = (diagnosis_json(own, "m", "1", NUMBERS) for own in (RIGHT, WRONG))
    assert diagnoses_json([right, right], {})["state"] == "nothing_wrong"
    assert diagnoses_json([right, {**right, "state": "cannot_tell"}], {})["state"] == "cannot_tell"
    assert diagnoses_json([right, {**right, "state": "cannot_tell"}, wrong], {})["state"] == "wrong"
    assert diagnoses_json([right], {"broken": "it is damaged"})["state"] == "wrong"
    assert diagnoses_json([], {})["state"] == "cannot_tell"
