"""Templates in the record, put there as the command and the admin's upload put them there."""

from environments.catalog.files import TemplateFile, as_text, import_documents
from environments.catalog.files.reading import read_texts
from environments.models import TemplateVersion


def publish(content: TemplateFile) -> TemplateVersion:
    """What a document says, imported; the version that is published then."""
    import_documents(read_texts([("template.yaml", as_text(content))]))
    versions = TemplateVersion.objects.select_related("template")
    return versions.get(template__slug=content.template.slug, state=TemplateVersion.State.PUBLISHED)
