"""What proves a message to be its author's and of its group (docs/protocol.md §2, §3, §10.3)."""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from syncline_rows import operations_of
from syncline_wire import (
    MESSAGE,
    Acknowledgement,
    Application,
    Checkpoint,
    Introduction,
    Message,
    Records,
    Refused,
    Retraction,
    Stale,
)

MESSAGE_MAX_BYTES = 1 << 20

CERTIFICATE_CONTEXT = "Syncline 2026 certificate of an incarnation, version 1"
PROOF_CONTEXT = "Syncline 2026 proof of membership, version 1"
SIGNATURE_CONTEXT = "Syncline 2026 signature of a message, version 1"
OPEN_KEY_CONTEXT = "Syncline 2026 key of an open message folder, version 1"

# The encodings of the eight points of small order (RFC 8032's curve), each in its only form.
SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "00" * 32,
        "00" * 31 + "80",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)
# The two points with x = 0, with a sign bit that they cannot have. OpenSSL takes them.
SIGNED_ZERO = frozenset({bytes.fromhex("01" + "00" * 30 + "80"), bytes.fromhex("ec" + "ff" * 31)})
FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def derive_key(context: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context=context).digest()


def verify_strictly(public_key: bytes, signature: bytes, signed: bytes) -> bool:
    """Ed25519 as §2.5 asks. What OpenSSL leaves unchecked is checked here: it takes keys and nonces of small order, and
    keys in other forms. It multiplies by no cofactor and compares the nonce's bytes, so other forms of that never pass."""
    if int.from_bytes(public_key, "little") & ~(1 << 255) >= FIELD_PRIME:
        return False
    if public_key in SMALL_ORDER | SIGNED_ZERO or signature[:32] in SMALL_ORDER:
        return False
    if int.from_bytes(signature[32:], "little") >= GROUP_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Group:
    """The group of an open session (§10.3)."""

    id: bytes

    @property
    def proof_key(self) -> bytes:
        return derive_key(PROOF_CONTEXT, derive_key(OPEN_KEY_CONTEXT, self.id))

    def proof(self, replica: bytes, public_key: bytes) -> bytes:
        return blake3(self.id + replica + public_key, key=self.proof_key).digest()

    def certified(self, replica: bytes) -> bytes:
        return derive_key(CERTIFICATE_CONTEXT, self.id + replica)

    def signed(self, body: bytes) -> bytes:
        return derive_key(SIGNATURE_CONTEXT, self.id + body)

    def introduce(self, key: Ed25519PrivateKey, replica: bytes, name: str) -> Introduction:
        public_key = key.public_key().public_bytes_raw()
        certificate = key.sign(self.certified(replica))
        return Introduction(public_key, name, certificate, self.proof(replica, public_key))

    def check_introduction(self, introduction: Introduction, replica: bytes) -> None:
        if introduction.proof != self.proof(replica, introduction.public_key):
            raise Refused("its introduction's proof is not of this group's key")
        if not verify_strictly(introduction.public_key, introduction.certificate, self.certified(replica)):
            raise Refused("its introduction's certificate is not by the key that it names")

    def check_signature(self, public_key: bytes, data: bytes) -> None:
        if not verify_strictly(public_key, data[-64:], self.signed(data[:-64])):
            raise Refused("its signature is not by its author's device")


def parse_message(data: bytes) -> Message:
    """A message in canonical form, with the rules of §3 that need nothing but its own bytes."""
    if len(data) > MESSAGE_MAX_BYTES:
        raise Refused(f"it is longer than {MESSAGE_MAX_BYTES} bytes")
    message = MESSAGE.parse(data)
    if message.version != 1:
        raise Refused(f"its version is {message.version}, not 1")
    if message.counter == 0:
        raise Refused("its counter is 0")
    if (message.previous is None) != (message.counter == 1):
        raise Refused("only the message with counter 1, and that always, names none before it")
    if message.previous and not 0 < message.previous.counter < message.counter:
        raise Refused("the message that it names as the one before does not come before it")
    introductions = [place for place, entry in enumerate(message.entries) if isinstance(entry, Introduction)]
    if introductions != ([0] if message.counter == 1 else []):
        raise Refused("an introduction is the first entry of the message with counter 1, and nowhere else")
    for entry in message.entries:
        if isinstance(entry, Checkpoint) and not is_sound(entry, message.counter):
            raise Refused("a checkpoint names nothing, its first message, or one that is not before it")
        if isinstance(entry, Records):
            operations_of(entry, message.author)
    for kind in (Application, Acknowledgement, Checkpoint, Stale, Retraction):
        if sum(isinstance(entry, kind) for entry in message.entries) > 1:
            raise Refused(f"it has more than one entry {kind.__name__}")
    return message


def is_sound(checkpoint: Checkpoint, counter: int) -> bool:
    """§10.8.1: what a checkpoint may name."""
    voided, cleared, _ = checkpoint
    is_within = all(any(a <= first and last <= b for a, b in voided) for first, last in cleared)
    return bool(voided) and voided[0].first > 1 and voided[-1].last < counter and is_within


def seal(group: Group, key: Ed25519PrivateKey, message: Message) -> bytes:
    """The bytes of a message whose signature is still to be made."""
    body = MESSAGE.encode(message._replace(signature=bytes(64)))[:-64]
    data = body + key.sign(group.signed(body))
    parse_message(data)
    return data
