"""Sockets inside a VRF, while the process itself lives in the default namespace.

A VRF is a network namespace under ``/run/netns`` (FRR's netns back end) or a kernel VRF device.  A socket
belongs for ever to the namespace of the thread that opened it, so a short visit is enough; nothing else runs in
this thread between the two ``setns`` calls.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NETNS_FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class NoSuchVrf(OSError):
    """The VRF is not there (yet)."""


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def inside(namespace: Path) -> Iterator[None]:
    """The calling thread visits a network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def namespaces() -> dict[str, int]:
    """VRF name -> identity of its namespace, for VRFs that are namespaces; a new identity means it was remade."""
    found = {}
    try:
        entries = list(os.scandir(NETNS_FOLDER))
    except FileNotFoundError:
        return {}
    for entry in entries:
        try:
            found[entry.name] = entry.stat().st_ino
        except OSError:  # removed while we looked
            continue
    return found


def identity(vrf: str) -> int:
    """Changes when the VRF is remade; 0 for the default namespace and for kernel VRFs, -1 when it is not there."""
    if not vrf:
        return 0
    try:
        return (NETNS_FOLDER / vrf).stat().st_ino
    except OSError:
        return 0 if Path("/sys/class/net", vrf).exists() else -1


def open_socket(vrf: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A non-blocking socket in that VRF ("" = default namespace).

    Raises:
        NoSuchVrf: when neither a namespace nor a device has that name.
    """
    flags = kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    if not vrf:
        return socket.socket(family, flags, protocol)
    path = NETNS_FOLDER / vrf
    if path.exists():
        try:
            with inside(path):
                return socket.socket(family, flags, protocol)
        except FileNotFoundError:
            raise NoSuchVrf(f"VRF {vrf!r} went away") from None
    if not Path("/sys/class/net", vrf).exists():
        raise NoSuchVrf(f"no VRF {vrf!r}: neither {path} nor a device of that name")
    bound = socket.socket(family, flags, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, vrf.encode())
    except OSError:
        bound.close()
        raise
    return bound
