"""One session to one device: netmiko for its shell and for vtysh, exec channels of the same transport for files.

Everything here blocks and runs in the broker's thread pool; one thread at a time uses a session (the broker's lock
per device sees to that).  Keys only; the host key is pinned, or taken on first use at enrolment and reported.
"""

from __future__ import annotations

import base64
import io
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from netmiko import redispatch
from netmiko.exceptions import NetmikoBaseException
from netmiko.linux.linux_ssh import LinuxSSH
from paramiko.ssh_exception import SSHException

from provision.broker.masking import mask
from provision.broker.wire import BrokerError

CONNECT_TIMEOUT_S = 10.0
KEYS_TIMEOUT_S = 40.0
"""For the exchange of keys: a machine with thirty of them at once is slow, not gone."""
KEEPALIVE_S = 3
LOG_LIMIT_BYTES = 128 * 1024

_PROMPT = r"\[device:\d+\]# $"  # no capture groups: netmiko splits its input by these patterns
# A login on a router lands in its management VRF: the shell is given the device's own namespaces, those of its init,
# unless the login may not enter them (then it is no login to a router's VRF either).
_OWN = "own='nsenter -t 1 -n -m'; $own true 2>/dev/null || own=; exec $own env -i PATH=$PATH HOME=/root LC_ALL=C.UTF-8"
_START_SHELL = f"{_OWN} TERM=dumb 'PS1=[device:$?]# ' /bin/sh -i"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_VTYSH_PROMPT = r"(?m:^[\w.-]+(?:\([\w-]+\))?# ?$)"
_VTYSH_ERROR = re.compile(r"(?m)^% .*$|^.*Unknown command: .*$")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device answers and as whom."""

    host: str  # name in the county
    address: str
    port: int
    user: str


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command on a device gave."""

    code: int
    out: str
    err: str


class SessionLog(io.BufferedIOBase):
    """The transcript of a device's shell: masked, and never longer than twice ``LOG_LIMIT_BYTES`` on disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._written = path.stat().st_size if path.exists() else 0
        self._partial = ""
        self._inside_key = False

    def write(self, data: Any) -> int:
        """Append what whole lines there are, starting a new file (and keeping one old) when this one is full."""
        lines, newline, self._partial = (self._partial + bytes(data).decode(errors="replace")).rpartition("\n")
        self._partial = self._partial[-LOG_LIMIT_BYTES:]
        text = self._shown(lines + newline).encode()
        if self._written + len(text) > LOG_LIMIT_BYTES and self._written:
            self._path.replace(self._path.with_suffix(".log.1"))
            self._written = 0
        with self._path.open("ab") as file:
            file.write(text[-LOG_LIMIT_BYTES:])
        self._written += len(text)
        return len(data)

    def _shown(self, text: str) -> str:
        """The text masked; a private key may begin in one write and end in another."""
        if self._inside_key:
            _, end, text = text.partition(" PRIVATE KEY-----")
            self._inside_key = not end
        masked = mask(text, {})
        if text.rfind("-----BEGIN ") > text.rfind("-----END ") and "PRIVATE KEY" in text[text.rfind("-----BEGIN ") :]:
            self._inside_key = True
        return masked

    def writable(self) -> bool:
        """netmiko asks."""
        return True


class _Linux(LinuxSSH):
    """netmiko's ``linux`` with a shell whose prompt carries the exit code, and host keys pinned by device."""

    pinned: str = ""
    remote_conn_pre: paramiko.SSHClient | None = None

    def session_preparation(self) -> None:
        """A plain sh without echo or line editing, so that answers need no guessing."""
        self.read_until_pattern(pattern=r"[#$]\s*$", read_timeout=CONNECT_TIMEOUT_S)
        self.write_channel(_START_SHELL + self.RETURN)
        self.read_until_pattern(pattern=_PROMPT, read_timeout=CONNECT_TIMEOUT_S)
        self.write_channel("stty -echo -onlcr columns 2000" + self.RETURN)
        self.read_until_pattern(pattern=_PROMPT, read_timeout=CONNECT_TIMEOUT_S)
        self.base_prompt = "[device:"

    def _build_ssh_client(self) -> paramiko.SSHClient:
        if self.remote_conn_pre is not None:
            return self.remote_conn_pre  # connected before: only the shell is missing
        client = super()._build_ssh_client()
        if self.pinned:
            kind, _, rest = self.pinned.partition(" ")
            key = paramiko.PKey.from_type_string(kind, base64.b64decode(rest.split()[0]))
            name = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
            client.get_host_keys().add(name, kind, key)
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
        return client

    def _get_ssh_client_instance(self) -> paramiko.SSHClient:
        return _Client()

    def connect(self) -> None:
        """Log in without a shell: files and the device tool need none, and it costs more than the login."""
        client = self.remote_conn_pre = self._build_ssh_client()
        sock = socket.create_connection((self.host, self.port), CONNECT_TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a login is many small questions
        client.connect(**self._connect_params_dict() | {"sock": sock, "timeout": KEYS_TIMEOUT_S})
        transport = client.get_transport()
        assert transport is not None
        transport.set_keepalive(KEEPALIVE_S)

    def want_shell(self) -> None:
        """Open the shell if there is none yet."""
        if self.remote_conn is None:
            self._open()


class _Client(paramiko.SSHClient):  # type: ignore[misc]  # paramiko has no types
    """netmiko connects when it opens the shell: by then this is connected."""

    def connect(self, *args: Any, **options: Any) -> None:
        if self.get_transport() is None:
            super().connect(*args, **options)


class DeviceSession:
    """An open session; ``close()`` it, or let the broker close it when it is idle."""

    def __init__(self, where: Address, key: paramiko.PKey, pinned: str, log: SessionLog) -> None:
        """Connect and log in.

        ``pinned`` is the expected host key (``ssh-ed25519 AAAA...``); "" accepts and reports the key shown
        (enrolment only).  Raises BrokerError of kind ``unreachable``.
        """
        self.where = where
        self.log = log
        self._connection = _Linux(
            ip=where.address,
            port=where.port,
            username=where.user,
            device_type="linux",
            use_keys=False,
            pkey=key,
            allow_agent=False,
            conn_timeout=CONNECT_TIMEOUT_S,
            auth_timeout=CONNECT_TIMEOUT_S * 2,
            banner_timeout=CONNECT_TIMEOUT_S * 2,
            # The management host's own ruleset may come up while it waits for an answer: its connection tracking then
            # knows the session again with the next packet that it sends itself.
            keepalive=KEEPALIVE_S,
            session_log=log,
            session_log_record_writes=True,
            auto_connect=False,
        )
        self._connection.pinned = pinned
        try:
            self._connection.connect()
        except (SSHException, OSError, EOFError, ValueError) as error:
            self.close()
            raise BrokerError("unreachable", self._why_not(error)) from None

    def _why_not(self, error: Exception) -> str:
        at = f"{self.where.host} ({self.where.address} port {self.where.port})"
        if isinstance(error, paramiko.BadHostKeyException) or "not found in known_hosts" in str(error):
            return (
                f"{at} shows another host key than the one pinned at enrolment: was the device replaced? enrol it again"
            )
        if isinstance(error, paramiko.AuthenticationException):
            return f"{at} refuses the broker's key: was the device reset? enrol it again"
        if isinstance(error, OSError):
            return f"{at} does not answer: is it up, and is there a path to it in the management network?"
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return f"{at}: no session: {first.strip()}"

    @property
    def host_key(self) -> str:
        """The host key that the device showed, as ``type base64``."""
        key = self._transport().get_remote_server_key()
        return f"{key.get_name()} {key.get_base64()}"

    @property
    def alive(self) -> bool:
        """Whether the transport still stands (no packet is sent)."""
        client = self._connection.remote_conn_pre
        transport = client.get_transport() if client is not None else None
        return transport is not None and transport.is_active()

    def run(self, command: str, data: bytes = b"", *, timeout_s: float = 60.0) -> Ran:
        """Run one command on an exec channel of its own: stdin in, exit code and both outputs out."""
        try:
            channel = self._transport().open_session(timeout=CONNECT_TIMEOUT_S)
            with channel:
                channel.settimeout(timeout_s)
                channel.exec_command(command)
                channel.sendall(data)
                channel.shutdown_write()
                out = channel.makefile("rb").read()
                err = channel.makefile_stderr("rb").read()
                code = channel.recv_exit_status()
        except TimeoutError:
            words = f"{self.where.host}: {command.split(maxsplit=1)[0]} said nothing for {timeout_s:.0f} s"
            raise BrokerError("device", words) from None
        except (SSHException, OSError, EOFError) as error:
            what = f"{command.split(maxsplit=1)[0]}: {error or type(error).__name__}"
            raise BrokerError("unreachable", f"{self.where.host}: the session broke in {what}") from None
        return Ran(code, out.decode(errors="replace"), err.decode(errors="replace"))

    def script(self, text: str, *, timeout_s: float = 30.0) -> Ran:
        """Shell lines in the device's own namespaces; what they say to both outputs is ``out``.

        Without a terminal: it costs the broker a sixth of opening the shell.
        """
        lines = f"PATH={_PATH}\n{{ {text}\n}} </dev/null 2>&1\n"
        return self.run(f"{_OWN} /bin/sh -s", lines.encode(), timeout_s=timeout_s)

    def put(self, path: str, data: bytes, mode: int) -> None:
        """Write a file whole or not at all."""
        quoted = path.replace("'", "'\\''")
        done = self.run(
            f"mkdir -p \"$(dirname '{quoted}')\" && umask 077 && cat > '{quoted}.new' && chmod {mode:o} '{quoted}.new'"
            f" && mv '{quoted}.new' '{quoted}'",
            data,
        )
        if done.code:
            raise BrokerError("device", f"{self.where.host}: {path} was not written: {done.err.strip()}")

    def shell(self, text: str, *, timeout_s: float = 30.0) -> Ran:
        """One line for the device's shell, through netmiko; ``code`` is its exit code, ``err`` is in ``out``."""
        self._one_line(text)
        try:
            self._connection.want_shell()
            answer = self._connection.send_command(
                text,
                expect_string=_PROMPT,
                read_timeout=timeout_s,
                cmd_verify=False,
                strip_command=False,
                strip_prompt=False,
            )
        except (NetmikoBaseException, SSHException, OSError, EOFError) as error:
            self.close()
            raise self._broke(text, error) from None
        found = re.search(_PROMPT, str(answer))
        if found is None:
            raise BrokerError("device", f"{self.where.host}: no prompt after {text!r}")
        return Ran(int(re.sub(r"\D", "", found[0])), str(answer)[: found.start()], "")

    def vtysh(self, text: str, *, timeout_s: float = 30.0) -> Ran:
        """One line for FRR: the ``linux`` session, then ``vtysh``, then ``cisco_ios``; ``code`` 1 on a ``%`` error."""
        self._one_line(text)
        connection: Any = self._connection
        options: dict[str, Any] = {"cmd_verify": False, "strip_prompt": False, "strip_command": False}
        try:
            connection.want_shell()
            connection.write_channel("VTYSH_PAGER=cat vtysh" + connection.RETURN)
            opened = connection.read_until_pattern(pattern=rf"{_VTYSH_PROMPT}|{_PROMPT}", read_timeout=timeout_s)
            if re.search(_PROMPT, opened):
                raise BrokerError("device", f"{self.where.host} has no FRR: vtysh did not start")
            redispatch(connection, device_type="cisco_ios", session_prep=False)
            try:
                answer = str(
                    connection.send_command(text, expect_string=_VTYSH_PROMPT, read_timeout=timeout_s, **options)
                )
                connection.write_channel("end" + connection.RETURN)
                connection.read_until_pattern(pattern=_VTYSH_PROMPT, read_timeout=timeout_s)
            finally:
                connection.__class__ = _Linux
                connection.device_type = "linux"
            connection.write_channel("exit" + connection.RETURN)
            connection.read_until_pattern(pattern=_PROMPT, read_timeout=timeout_s)
        except (NetmikoBaseException, SSHException, OSError, EOFError) as error:
            self.close()
            raise self._broke(text, error) from None
        lines = [line.rstrip("\r") for line in answer.split("\n")]
        if lines and text in lines[0]:
            lines = lines[1:]  # vtysh's line editor echoes
        if lines and re.search(_VTYSH_PROMPT, lines[-1]):
            lines = lines[:-1]
        out = "\n".join(lines)
        return Ran(1 if _VTYSH_ERROR.search(out) else 0, out, "")

    def _one_line(self, text: str) -> None:
        if not text.strip() or any(ord(character) < 32 for character in text):
            raise BrokerError("request", f"{self.where.host}: a command is one line of text, found {text!r}")

    def _broke(self, text: str, error: Exception) -> BrokerError:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return BrokerError("device", f"{self.where.host}: no answer to {text!r}: {first.strip()}")

    def _transport(self) -> paramiko.Transport:
        client = self._connection.remote_conn_pre
        transport = client.get_transport() if client is not None else None
        if transport is None:
            raise BrokerError("unreachable", f"{self.where.host}: the session is closed")
        return transport

    def close(self) -> None:
        """Close the transport; never waits for the device."""
        client = getattr(self._connection, "remote_conn_pre", None)
        if client is not None:
            client.close()
