"""Which system calls a confined process may not make, as a seccomp filter.

A filter is a program for the kernel's packet filter (BPF): it reads the architecture, the number of
a call and its arguments, and says what comes of it. Refused calls fail with EPERM, as if for lack
of a right, so that what tried them gets an ordinary error; calls that are newer than this table
fail with ENOSYS, as on an older kernel. Another architecture's calls end the process.

Reference: Linux manual pages seccomp(2) and bpf(2); numbers of calls from the kernel's headers
``asm/unistd_64.h`` (x86_64) and ``asm-generic/unistd.h`` (aarch64).
"""

from __future__ import annotations

import errno
import struct
from typing import NamedTuple

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x00010000
_OTHER_MODE = 0x40000000  # calls of x86_64 with this bit are those of its 32-bit mode


class _Calls(NamedTuple):
    """Calls of one architecture: its AUDIT_ARCH, the last number known, and those that matter."""

    audit: int
    last: int
    clone: int
    clone3: int
    denied: dict[str, int]


# processes, other processes, network, file systems, namespaces, the kernel's own settings, identity
# fmt: off
_X86_64 = {
    "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kill": 62, "tkill": 200,
    "pidfd_send_signal": 424, "pidfd_open": 434, "pidfd_getfd": 438, "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297, "kcmp": 312, "migrate_pages": 256, "move_pages": 279,
    "process_madvise": 440, "process_mrelease": 448,
    "socket": 41, "socketpair": 53, "connect": 42, "bind": 49, "listen": 50, "accept": 43,
    "accept4": 288, "sendto": 44, "sendmsg": 46, "sendmmsg": 307,
    "shmget": 29, "shmat": 30, "shmctl": 31, "msgget": 68, "semget": 64, "mq_open": 240,
    "memfd_create": 319, "memfd_secret": 447,
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "mount_setattr": 442, "mknod": 133, "mknodat": 259, "open_by_handle_at": 304,
    "name_to_handle_at": 303, "fanotify_init": 300, "quotactl": 179, "quotactl_fd": 443,
    "unshare": 272, "setns": 308, "sethostname": 170, "setdomainname": 171, "personality": 135,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "keyctl": 250, "add_key": 248,
    "request_key": 249, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "kexec_load": 246, "kexec_file_load": 320, "reboot": 169, "swapon": 167, "swapoff": 168,
    "acct": 163, "syslog": 103, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159,
    "clock_adjtime": 305, "iopl": 172, "ioperm": 173, "modify_ldt": 154,
    "setuid": 105, "setgid": 106, "setresuid": 117, "setresgid": 119, "setreuid": 113,
    "setregid": 114, "setgroups": 116, "capset": 126,
}
_AARCH64 = {
    "execve": 221, "execveat": 281,
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kill": 129, "tkill": 130,
    "pidfd_send_signal": 424, "pidfd_open": 434, "pidfd_getfd": 438, "rt_sigqueueinfo": 138,
    "rt_tgsigqueueinfo": 240, "kcmp": 272, "migrate_pages": 238, "move_pages": 239,
    "process_madvise": 440, "process_mrelease": 448,
    "socket": 198, "socketpair": 199, "connect": 203, "bind": 200, "listen": 201, "accept": 202,
    "accept4": 242, "sendto": 206, "sendmsg": 211, "sendmmsg": 269,
    "shmget": 194, "shmat": 196, "shmctl": 195, "msgget": 186, "semget": 190, "mq_open": 180,
    "memfd_create": 279, "memfd_secret": 447,
    "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "mount_setattr": 442, "mknodat": 33, "open_by_handle_at": 265,
    "name_to_handle_at": 264, "fanotify_init": 262, "quotactl": 60, "quotactl_fd": 443,
    "unshare": 97, "setns": 268, "sethostname": 161, "setdomainname": 162, "personality": 92,
    "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "keyctl": 219, "add_key": 217,
    "request_key": 218, "init_module": 105, "finit_module": 273, "delete_module": 106,
    "kexec_load": 104, "kexec_file_load": 294, "reboot": 142, "swapon": 224, "swapoff": 225,
    "acct": 89, "syslog": 116, "settimeofday": 170, "clock_settime": 112, "adjtimex": 171,
    "clock_adjtime": 266,
    "setuid": 146, "setgid": 144, "setresuid": 147, "setresgid": 149, "setreuid": 145,
    "setregid": 143, "setgroups": 159, "capset": 91,
}
# fmt: on
ARCHITECTURES = {
    "x86_64": _Calls(0xC000003E, 450, 56, 435, _X86_64),
    "aarch64": _Calls(0xC00000B7, 450, 220, 435, _AARCH64),
}


def build_filter(machine: str) -> bytes:
    """The filter as the kernel takes it: 8 bytes for each of its statements.

    ``clone`` may make threads only, whose flag it carries. ``clone3`` hides its flags behind a
    pointer, which a filter cannot follow, so it does not exist; libraries fall back on ``clone``.

    Args:
        machine: as ``platform.machine`` names it.

    Raises:
        KeyError: there is no table for this architecture.
    """
    calls = ARCHITECTURES[machine]
    refused, unknown = _FAIL | errno.EPERM, _FAIL | errno.ENOSYS
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, calls.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        program += [(_ANY_BIT, 0, 1, _OTHER_MODE), (_RETURN, 0, 0, _KILL)]
    program += [
        (_AT_LEAST, 0, 1, calls.last + 1),
        (_RETURN, 0, 0, unknown),
        (_EQUAL, 0, 1, calls.clone3),
        (_RETURN, 0, 0, unknown),
    ]
    for number in sorted(calls.denied.values()):
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refused)]
    program += [
        (_EQUAL, 1, 0, calls.clone),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, refused),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *statement) for statement in program)
