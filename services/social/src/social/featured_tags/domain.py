"""What can be featured."""

import re
from typing import Final

from common.errors import DomainError

MOST: Final = 10
_NAME: Final = re.compile(r"(?=\w*[^\W\d])\w{1,100}")
"""What `common.markdown` takes for a hashtag."""


class BadTag(DomainError):
    """Validation failed: Tag is invalid"""

    code = "bad_tag"


class TooManyFeatured(DomainError):
    """Validation failed: You have already featured the maximum number of hashtags"""

    code = "too_many_featured"


def check_tag(given: str) -> str:
    """Return a hashtag as it was written, without its sign."""
    tag = given.strip().lstrip("#＃")
    if not _NAME.fullmatch(tag):
        raise BadTag
    return tag
