"""Directories of people and groups behind one interface. The only importer of `httpx`."""

from environments.directory.base import DirectoryClient, GroupKey, Person

__all__ = ["DirectoryClient", "GroupKey", "Person"]
