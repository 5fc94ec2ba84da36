"""A small server that speaks the Elasticsearch protocol, from the `noida-db` wheel."""

import http.client
from collections.abc import Sequence
from pathlib import Path

from engines.process import Engine, EngineError


class Noida(Engine):
    """Elasticsearch's protocol only. Its data is a snapshot some tenths of a second behind, so whoever feeds it must be able to feed it again."""

    name = "search-engine"

    def command(self) -> Sequence[str]:
        import noida_db

        binary = Path(noida_db.__file__).parent / "noida-db"  # its Python command would leave the server running when it is ended
        if not binary.exists():
            raise EngineError(
                "no search engine for this platform in the noida-db package: give SEARCH_ELASTICSEARCH_URL of a server instead"
            )
        options = ["--data-dir", str(self.data / "data"), "--host", "127.0.0.1", "--elasticsearch-port", str(self.port)]
        return [str(binary), "start", "--only", "elasticsearch", *options]

    def ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
