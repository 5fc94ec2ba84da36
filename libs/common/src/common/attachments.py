"""A file of a post as clients are shown it: by `posts` to its author at once, by `social` to everybody who may see the post."""

from typing import Any

from common.events import MediaState


def attachment(media: MediaState) -> dict[str, Any]:
    """A MediaAttachment of the Mastodon client API."""
    return {
        "id": str(media.media_id),
        "type": media.kind,
        "url": media.url,
        "preview_url": media.preview_url,
        "remote_url": None,
        "preview_remote_url": None,
        "text_url": None,
        "meta": {
            "focus": {"x": media.focus_x, "y": media.focus_y},
            "original": _size(media.width, media.height),
            "small": _size(media.preview_width, media.preview_height),
        },
        "description": media.description,
        "blurhash": media.blurhash,
    }


def _size(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height, "size": f"{width}x{height}", "aspect": width / height if height else 1.0}
