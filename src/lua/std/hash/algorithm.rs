//! The algorithms by name, each fed piece by piece.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use xxhash_rust::xxh3::Xxh3Default;

use crate::lua::error::LibError;
use crate::lua::module::did_you_mean;

/// What a script can name, as the module has functions.
pub(super) const NAMES: &[&str] = &["blake3", "crc32", "md5", "sha1", "sha256", "sha512", "xxh3"];

/// A hash that is not finished; clones go on from the same state.
#[derive(Clone)]
pub(super) enum Hasher {
    Blake3(Box<blake3::Hasher>),
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Xxh3(Box<Xxh3Default>),
}

impl Hasher {
    pub fn named(name: &str) -> Result<Self, LibError> {
        Ok(match name {
            "blake3" => Self::Blake3(Box::default()),
            "crc32" => Self::Crc32(crc32fast::Hasher::new()),
            "md5" => Self::Md5(Md5::new()),
            "sha1" => Self::Sha1(Sha1::new()),
            "sha256" => Self::Sha256(Sha256::new()),
            "sha512" => Self::Sha512(Sha512::new()),
            "xxh3" => Self::Xxh3(Box::new(Xxh3Default::new())),
            _ => return Err(unknown(name, NAMES)),
        })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hash) => {
                hash.update(bytes);
            }
            Self::Crc32(hash) => hash.update(bytes),
            Self::Md5(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
            Self::Xxh3(hash) => hash.update(bytes),
        }
    }

    /// The bytes of the sum; numbers with the highest byte first, as they are written.
    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Blake3(hash) => hash.finalize().as_bytes().to_vec(),
            Self::Crc32(hash) => hash.finalize().to_be_bytes().to_vec(),
            Self::Md5(hash) => hash.finalize().to_vec(),
            Self::Sha1(hash) => hash.finalize().to_vec(),
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Sha512(hash) => hash.finalize().to_vec(),
            Self::Xxh3(hash) => hash.digest().to_be_bytes().to_vec(),
        }
    }

    /// The sum of one text: short ones without any state.
    pub fn whole(name: &str, bytes: &[u8]) -> Result<Vec<u8>, LibError> {
        match name {
            "xxh3" => Ok(xxhash_rust::xxh3::xxh3_64(bytes).to_be_bytes().to_vec()),
            "blake3" => Ok(blake3::hash(bytes).as_bytes().to_vec()),
            _ => {
                let mut hash = Self::named(name)?;
                hash.update(bytes);
                Ok(hash.finish())
            }
        }
    }
}

pub(super) fn unknown(name: &str, known: &[&str]) -> LibError {
    let hint = did_you_mean(name, known);
    let known = known.join("`, `");
    LibError::invalid(format!("argument 1 (algorithm) must be one of `{known}`, got `{name}`{hint}"))
}
