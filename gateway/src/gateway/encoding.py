"""What a client lets us compress."""


def takes_gzip(accepts: str) -> bool:
    """Whether `Accept-Encoding` names gzip with a weight above nought (RFC 9110, 12.5.3)."""
    if "gzip" not in accepts:
        return False
    for coding in accepts.replace(" ", "").lower().split(","):
        name, _, weight = coding.partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or not weight
    return False
