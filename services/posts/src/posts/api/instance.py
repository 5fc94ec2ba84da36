"""What this service adds to the description of the server."""

from typing import Any

from common.api import HIDDEN
from common.images import MAX_BYTES, MAX_PIXELS, MIME_TYPES
from fastapi import APIRouter

from posts import domain
from posts.deps import ASite

router = APIRouter()


@router.get("/internal/instance", **HIDDEN)
async def instance(site: ASite) -> dict[str, Any]:
    """Limits that clients should know, in the form of `/api/v2/instance`."""
    return {
        "configuration": {
            "statuses": {
                "max_characters": site.max_characters,
                "max_media_attachments": domain.MAX_MEDIA,
                "characters_reserved_per_url": domain.URL_LENGTH,
                "supported_mime_types": ["text/plain", "text/markdown"],
            },
            "polls": {
                "max_options": domain.MAX_OPTIONS,
                "max_characters_per_option": domain.MAX_OPTION,
                "min_expiration": domain.MIN_POLL_SECONDS,
                "max_expiration": domain.MAX_POLL_SECONDS,
            },
            "media_attachments": {
                "supported_mime_types": list(MIME_TYPES),
                "description_limit": domain.MAX_DESCRIPTION,
                "image_size_limit": MAX_BYTES,
                "image_matrix_limit": MAX_PIXELS,
            },
        }
    }
