"""Elements that every table of a resource type has: meta, extensions and contained resources."""

from __future__ import annotations

from schemas.elements import Field, field

STANDARD: tuple[Field, ...] = (
    field("meta.profile", name="meta_profile", label="Profiles the resource claims to follow"),
    field("meta.source", name="meta_source", label="Where the resource came from, a URI"),
    field("meta.security", name="meta_security", label="Security label"),
    field("meta.tag", name="meta_tag", label="Tag"),
    field("implicitRules", label="Rules under which the content was made"),
    field("language", name="resource_language", label="Language of the resource"),
    field("contained", json=True, label="Contained resources", phi=True),
    field("extension", json=True, label="Extensions", phi=True),
    field("modifierExtension", json=True, label="Extensions that change the meaning of the row", phi=True),
)
