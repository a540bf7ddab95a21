"""Packet sockets in a VRF's namespace: frames of one EtherType, seen before any bridge or route takes them."""

from __future__ import annotations

import ctypes
import socket
import struct

from collectors.agent.vrf import open_socket

_SO_ATTACH_FILTER = 26
LOAD_WORD, LOAD_HALF, LOAD_BYTE, LOAD_HALF_IP, LOAD_LENGTH_OF_IP = 0x20, 0x28, 0x30, 0x48, 0xB1
JUMP_EQUAL, JUMP_SET, RETURN = 0x15, 0x45, 0x06
"""Classic BPF (linux/bpf_common.h): absolute loads, a load behind the IP header (X), jumps, the verdict."""

Instruction = tuple[int, int, int, int]


def packet_socket(vrf: str, ethertype: int, program: tuple[Instruction, ...] = ()) -> socket.socket:
    """A non-blocking socket of whole frames; ``program`` keeps out of this process what nobody wants.

    Raises:
        OSError: no such VRF, or no right to.
    """
    made = open_socket(vrf, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    if program:
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
        try:
            made.setsockopt(
                socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code))
            )
        except OSError:
            made.close()
            raise
    return made


def mac_text(mac: bytes) -> str:
    """
    >>> mac_text(bytes([2, 0x53, 1, 0, 11, 1]))
    '02:53:01:00:0b:01'
    """
    return ":".join(f"{octet:02x}" for octet in mac)


def device_mac(link: socket.socket, name: str) -> bytes:
    """MAC of a device of the namespace that ``link`` is in (ioctl SIOCGIFHWADDR of netdevice(7))."""
    import fcntl

    answer = fcntl.ioctl(link.fileno(), 0x8927, struct.pack("16s24x", name.encode()))
    return answer[18:24]
