"""Things by name and version, one version of each name being live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar


class Versioned(Protocol):
    """A thing of one model version."""

    @property
    def model_name(self) -> str:
        """The model's name."""

    @property
    def model_version(self) -> str:
        """The model's version."""


T = TypeVar("T", bound=Versioned)
Key = tuple[str, str]
"""Name and version."""


class Versions(Generic[T]):
    """Things in the order in which they were added; the first version of a name is live until another one is.

    Each change replaces the mappings, so that a reader in another thread sees the state before it or after it.
    """

    def __init__(self) -> None:
        self._all: Mapping[Key, T] = {}
        self._live: Mapping[str, T] = {}

    def add(self, item: T) -> None:
        """Add a version; ValueError if it is there already."""
        key = (item.model_name, item.model_version)
        if key in self._all:
            raise ValueError(f"{item.model_name} {item.model_version} is already there")
        self._all = {**self._all, key: item}
        if item.model_name not in self._live:
            self.make_live(*key)

    def make_live(self, name: str, version: str) -> None:
        """Make a version live, in one step for all readers; KeyError for an unknown one."""
        self._live = {**self._live, name: self._all[name, version]}

    def remove(self, name: str, version: str) -> T:
        """Remove a version and return it; KeyError for an unknown one.

        ValueError if it is live and not the only one of its name.
        """
        item, others = self._all[name, version], [own for own in self.of(name) if own.model_version != version]
        if self._live.get(name) is item:
            if others:
                raise ValueError(f"{name} {version} is live: make another version live first")
            self._live = {own: live for own, live in self._live.items() if own != name}
        self._all = {key: own for key, own in self._all.items() if own is not item}
        return item

    def live(self, name: str) -> T | None:
        """Return the live version of a name; None for an unknown name."""
        return self._live.get(name)

    def find(self, name: str, version: str) -> T | None:
        """Return a version, live or not; None for an unknown one."""
        return self._all.get((name, version))

    def of(self, name: str) -> Sequence[T]:
        """Return all versions of a name."""
        return [item for item in self._all.values() if item.model_name == name]

    def is_live(self, item: T) -> bool:
        """Return whether this is the live version of its name."""
        return self._live.get(item.model_name) is item

    @property
    def names(self) -> Sequence[str]:
        """The names, in the order in which they were added."""
        return list(self._live)

    @property
    def all_live(self) -> Sequence[T]:
        """The live version of each name."""
        return list(self._live.values())

    def __iter__(self) -> Iterator[T]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)
