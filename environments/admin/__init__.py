"""The admin: where platform admins look after clusters, directories, templates and people, and read the records."""

from environments.admin import clusters, directories, openings, people, rates, records, stand_ins, templates, versions

__all__ = ["clusters", "directories", "openings", "people", "rates", "records", "stand_ins", "templates", "versions"]
