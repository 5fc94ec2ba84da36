"""What is loaded before forking is no danger to what is forked."""

import os
import subprocess
import sys

_PROGRAM = """
import gc, os
from microblog_local.preloading import preload
preload()
print(len(os.listdir("/proc/self/task")), gc.get_freeze_count() > 100_000)
"""


def test_no_thread_runs_that_a_fork_would_lack_whatever_the_settings_of_whoever_starts_it() -> None:
    wrong = {"MICROBLOG_LOG_LEVEL": "LOUD", "GATEWAY_TRUSTED_PROXIES": "{", "POSTS_POOL_SIZE": "many"}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=os.environ | wrong, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["1", "True"], done.stderr
