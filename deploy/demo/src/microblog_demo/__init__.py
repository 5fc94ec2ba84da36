"""A community to look around in: some thirty people, their conversations and pictures, loaded through the public API."""

from typing import Final

LOGIN: Final = ("demo", "welcome to the demo")
"""Who a visitor logs in as: name and password."""
