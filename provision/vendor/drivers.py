"""netmiko's vendor drivers with what they get wrong put right.

Measured on netmiko 4.8: ``HuaweiBase.check_config_mode`` drops its pattern and waits for two seconds of silence, at
every entry, commit, exit and disconnect; reading polls every 10 ms; ``session_preparation`` sleeps.  Here reading
blocks on the channel, prompts end every wait, and host keys are pinned.  No secret reaches netmiko's own log.
"""

from __future__ import annotations

import base64
import logging
import re
import select
import time
from typing import Any

import paramiko
from netmiko.base_connection import BaseConnection
from netmiko.exceptions import ReadTimeout
from netmiko.hp.hp_comware import HPComwareSSH
from netmiko.huawei.huawei import HuaweiSSH, HuaweiVrpv8SSH
from netmiko.ruijie.ruijie_os import RuijieOSSSH
from netmiko.zte.zte_zxros import ZteZxrosSSH

LOGIN_TIMEOUT_S = 30.0

_SSH_LOG = logging.getLogger("sanwang.vendor.ssh")  # paramiko's own words; what matters is raised as VendorError
_SSH_LOG.addHandler(logging.NullHandler())
_SSH_LOG.propagate = False


class Blocking(BaseConnection):
    """Reading that sleeps in the kernel until the device says something."""

    pinned: str = ""
    configuring: str = r"[\])]#?"  # the session sets the pattern of its device's name

    def _build_ssh_client(self) -> paramiko.SSHClient:
        client = super()._build_ssh_client()
        client.set_log_channel(_SSH_LOG.name)
        if self.pinned:
            kind, _, rest = self.pinned.partition(" ")
            key = paramiko.PKey.from_type_string(kind, base64.b64decode(rest.split()[0]))
            name = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
            client.get_host_keys().add(name, kind, key)
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
        return client

    def special_login_handler(self, delay_factor: float = 1.0) -> None:
        """What comes before the first prompt is answered by the session, knowingly."""

    def _try_session_preparation(self, force_data: bool = True) -> None:
        super()._try_session_preparation(force_data=False)

    def session_preparation(self) -> None:
        """Only the codes to strip; the session says the rest."""
        self.ansi_escape_codes = True

    def strip_ansi_escape_codes(self, string_buffer: str) -> str:
        """Forty substitutions, only where there is anything to strip."""
        return super().strip_ansi_escape_codes(string_buffer) if "\x1b" in string_buffer else string_buffer

    def check_config_mode(self, check_string: str = "", pattern: str = "", force_regex: bool = False) -> bool:
        """Asked with an empty line, answered by the next prompt, not by silence."""
        self.write_channel(self.RETURN)
        prompt = rf"(?:{self.configuring}|{re.escape(self.base_prompt)}[>#])"
        return bool(re.search(self.configuring, self.read_until_pattern(pattern=prompt)))

    def read_until_pattern(
        self, pattern: str = "", read_timeout: float = 10.0, re_flags: int = 0, max_loops: int | None = None
    ) -> str:
        """Up to and including the first match; what came after it is kept.  ReadTimeout after ``read_timeout`` s."""
        return self.hear(re.compile(pattern, re_flags), read_timeout)[0]

    def hear(self, pattern: re.Pattern[str], timeout_s: float) -> tuple[str, re.Match[str]]:
        """The text up to the first match of ``pattern``, and the match."""
        text = self._read_buffer
        self._read_buffer = ""
        end = time.monotonic() + timeout_s
        while True:
            found = pattern.search(text)
            if found:
                self._read_buffer = text[found.end() :]
                return text[: found.end()], found
            left = end - time.monotonic()
            channel = self.remote_conn
            if left <= 0 or not isinstance(channel, paramiko.Channel):
                self._read_buffer = text
                raise ReadTimeout(text[-200:])
            if channel.closed and not channel.recv_ready():
                raise EOFError(text.strip()[-200:] or "the device closed the session")
            if select.select([channel], [], [], left)[0]:
                text += self.read_channel()

    def quiet(self, silence_s: float) -> str:
        """What is said until ``silence_s`` of silence: only for getting out of an answer that nobody foresaw."""
        text = self._read_buffer
        self._read_buffer = ""
        channel = self.remote_conn
        while isinstance(channel, paramiko.Channel) and select.select([channel], [], [], silence_s)[0]:
            if channel.closed and not channel.recv_ready():
                break
            text += self.read_channel()
        return text

    def say(self, text: str) -> None:
        """Lines as they are, and the return key."""
        self.write_channel(text + self.RETURN)

    def cleanup(self, command: str = "") -> None:
        """Nothing is left behind: the session leaves configuration mode itself, the transport is closed."""


class Vrp8(Blocking, HuaweiVrpv8SSH):
    """Huawei VRP8: NetEngine, CloudEngine."""


class Vrp5(Blocking, HuaweiSSH):
    """Huawei VRP5: S-series switches, AR routers."""


class Comware(Blocking, HPComwareSSH):
    """H3C Comware 7."""


class Rgos(Blocking, RuijieOSSSH):
    """Ruijie RGOS."""


class Zxr10(Blocking, ZteZxrosSSH):
    """ZTE ZXR10."""


DRIVERS: dict[str, Any] = {
    "huawei_vrp8": (Vrp8, "huawei_vrpv8"),
    "huawei_vrp5": (Vrp5, "huawei"),
    "h3c_comware": (Comware, "hp_comware"),
    "ruijie_rgos": (Rgos, "ruijie_os"),
    "zte_zxr10": (Zxr10, "zte_zxros"),
}
"""Platform -> (class, netmiko's device type)."""
