"""The admin: where platform admins look after clusters, directories, templates and people, and read the records."""

from environments.admin import base, clusters, directories, people, rates, records, templates, versions

base.set_up_site()

__all__ = ["clusters", "directories", "people", "rates", "records", "templates", "versions"]
