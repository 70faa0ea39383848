"""Keys of a mart: what signs, masks, wraps and encrypts, in a keyring file or under a key of AWS KMS."""

from __future__ import annotations

from stores.keys.key import Key, KeyFacts, Purpose, Signature, Tag, Wrapped
from stores.keys.keys import Keys
from stores.keys.opening import default_keyring, open_keys

__all__ = ["Key", "KeyFacts", "Keys", "Purpose", "Signature", "Tag", "Wrapped", "default_keyring", "open_keys"]
