"""What tests of other people's apps share: how somebody lets an app act for them."""

import re
from html import unescape

from pages import PASSWORD
from stack import Stack


def consent(stack: Stack, name: str, url: str) -> str:
    """Log in where an app sent somebody, allow it, and return the code that the page shows."""
    with stack.browser() as browser:
        assert stack.submit(browser, "/login", "/login", identifier=name, password=PASSWORD).status_code == 303
        page = stack.submit(browser, url.removeprefix(stack.url), "/oauth/authorize", decision="approve")
    code = re.search(r'class="form-control oauth-code" readonly value="([^"]+)"', page.text)
    assert code is not None, page.text
    return unescape(code[1])
