from __future__ import annotations

from driftgauge.demo import report as demo
from driftgauge.demo.prometheus_stack import Alert


def test_the_log_of_alerts_says_what_changed() -> None:
    hot = [Alert("ModelFeatureDrift", "critical", name) for name in ("temp", "dewp")]
    warm = Alert("ModelFeatureDrift", "warning", "temp")
    watchdog = Alert("Watchdog", "info", "")
    answers = iter([[watchdog], [watchdog, warm], [watchdog, *hot], [watchdog, *hot], [watchdog, hot[0]]])
    said: list[str] = []
    log = demo.AlertLog(lambda: next(answers), said.append)
    for day in range(1, 6):
        log.look(f"2013-05-0{day}")
    assert said == [
        "2013-05-01  firing: Watchdog (info)",
        "2013-05-02  firing: ModelFeatureDrift (warning) temp",
        "2013-05-03  firing: ModelFeatureDrift (critical) dewp",
        "2013-05-03  now: ModelFeatureDrift (critical) temp",
        "2013-05-05  resolved: ModelFeatureDrift (critical) dewp",
    ]
