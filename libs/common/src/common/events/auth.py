"""What `auth` tells: who there is, and what stopped being valid."""

from datetime import datetime
from typing import ClassVar

from common.events.base import StateEvent, Trigger


class AccountState(StateEvent):
    """An account as every service may know it: no address, no secret.

    `state` is `unconfirmed` until the address was confirmed, then `active`; `suspended` and `disabled` accounts can't act and aren't shown.
    `deleted` stays true for ever: erase what belongs to it.
    """

    topic: ClassVar[str] = "auth.accounts"

    account_id: int
    username: str
    state: str = "active"
    role: str = "user"
    """`user`, `moderator` or `admin`."""
    locale: str = "en"
    bot: bool = False
    created_at: datetime

    @property
    def key(self) -> str:
        return str(self.account_id)

    @property
    def visible(self) -> bool:
        """Whether others may see this account at all."""
        return self.state == "active" and not self.deleted


class SecurityEvent(Trigger):
    """Something about credentials happened, now: gateways drop what they cached, `notify` sends the mail that belongs to it.

    `kind`: `tokens_revoked` (`token_ids` names them; None means all of the account), `account_changed` (role or state),
    `confirmation_requested`, `reset_requested`, `password_changed` (mails; `request_id` is what `notify` gives back to `auth` to get address and link).
    """

    topic: ClassVar[str] = "auth.security"

    kind: str
    account_id: int
    token_ids: list[int] | None = None
    request_id: int | None = None
    happened_at: datetime

    @property
    def key(self) -> str:
        return str(self.account_id)
