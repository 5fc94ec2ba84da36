"""What an event is: a CloudEvents 1.0 envelope around a pydantic model, one topic for each aggregate."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """Something that other services may want to know; unknown fields are ignored, so that older readers meet newer writers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    schema_version: ClassVar[int] = 1
    durable: ClassVar[bool] = False
    """Whether the outbox keeps it after publishing, since no table could tell it again."""

    @property
    def key(self) -> str:
        """Kafka keeps the order of events of one key."""
        raise NotImplementedError

    @classmethod
    def data_schema(cls) -> str:
        """The name under which the JSON Schema of this version is frozen."""
        return f"{cls.topic}.v{cls.schema_version}"


class StateEvent(Event):
    """The whole public state of one thing at one version; a newer version replaces an older one, whatever happened in between."""

    version: int
    deleted: bool = False


class Trigger(Event):
    """Something to be done once; kept for some days after publishing."""

    durable: ClassVar[bool] = True


class Moment(Event):
    """Something worth telling only to those who look on just now: whoever comes later reads what it led to. Nothing is kept of it."""
