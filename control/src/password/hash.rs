use std::{fmt, sync::Arc};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{Ident, Output, ParamsString, PasswordHash as Phc, Salt, SaltString},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

/// Memory of one hash, in KiB; with [`PASSES`] and [`LANES`] as OWASP's Password Storage Cheat Sheet advises.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Most memory that a stored hash may ask for, in KiB.
const MEMORY_MAX_KIB: u32 = 65_536;
/// How many hashes are made at once, so that many logins are no way to exhaust the memory.
const AT_ONCE: usize = 2;
/// Blocks that are reserved for a hash, of which it touches the first [`MEMORY_KIB`]. glibc gives memory back to the
/// system at once only above a threshold, which it raises to the size of what was freed up to 32 MiB: a reservation above
/// that keeps the threshold where it is, and the process as small as before the login.
const RESERVED_BLOCKS: usize = 33 * 1024;

/// Hash of a password nobody has, of the same cost as a real one: what an unknown user's password is compared with.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdC4uLg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The stored text is no hash that this program makes.
    #[error("stored password hash is not usable: {0}; reset the password")]
    Stored(String),
    /// No randomness or memory.
    #[error("cannot hash a password: {0}")]
    Hash(String),
}

/// An argon2id hash in PHC form; does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

impl PasswordHash {
    /// From what is stored.
    pub fn from_stored(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// For storing.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Hashes and compares passwords, a few at a time, away from the runtime's threads.
#[derive(Clone)]
pub struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

impl Passwords {
    /// One for the process, so that its bound holds.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// There is no randomness or memory.
    pub async fn hash(&self, password: SecretString) -> Result<PasswordHash, HashError> {
        self.run(move || hash(&password)).await
    }

    /// Whether a password is that of a hash. Without a hash it takes as long and is false.
    ///
    /// # Errors
    /// The stored hash is not usable.
    pub async fn verify(
        &self,
        password: SecretString,
        stored: Option<PasswordHash>,
    ) -> Result<bool, HashError> {
        self.run(move || {
            let same = verify(
                &password,
                stored.as_ref().map_or(NOBODY, PasswordHash::as_str),
            )?;
            Ok(same && stored.is_some())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let permit = Arc::clone(&self.0)
            .acquire_owned()
            .await
            .map_err(|e| HashError::Hash(e.to_string()))?;
        tokio::task::spawn_blocking(move || {
            // held by the work itself, which goes on when the request is dropped
            let _permit = permit;
            work()
        })
        .await
        .map_err(|e| HashError::Hash(e.to_string()))?
    }
}

fn hash(password: &SecretString) -> Result<PasswordHash, HashError> {
    let failed = |e: &dyn fmt::Display| HashError::Hash(e.to_string());
    let mut bytes = [0_u8; Salt::RECOMMENDED_LENGTH];
    getrandom::fill(&mut bytes).map_err(|e| failed(&e))?;
    let salt = SaltString::encode_b64(&bytes).map_err(|e| failed(&e))?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(Params::DEFAULT_OUTPUT_LEN))
        .map_err(|e| failed(&e))?;
    let output = derive(password, &bytes, params.clone()).map_err(|e| failed(&e))?;
    let phc = Phc {
        algorithm: Ident::from(Algorithm::Argon2id),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|e| failed(&e))?,
        salt: Some(salt.as_salt()),
        hash: Some(output),
    };
    Ok(PasswordHash(Arc::from(phc.to_string())))
}

fn verify(password: &SecretString, stored: &str) -> Result<bool, HashError> {
    let unusable = |e: &dyn fmt::Display| HashError::Stored(e.to_string());
    let phc = Phc::new(stored).map_err(|e| unusable(&e))?;
    if phc.algorithm != Ident::from(Algorithm::Argon2id) || phc.version != Some(19) {
        return Err(unusable(&"not argon2id"));
    }
    let params = Params::try_from(&phc).map_err(|e| unusable(&e))?;
    if params.m_cost() > MEMORY_MAX_KIB {
        return Err(unusable(&"it asks for too much memory"));
    }
    let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
        return Err(unusable(&"without salt or hash"));
    };
    let mut buffer = [0_u8; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut buffer).map_err(|e| unusable(&e))?;
    let output = derive(password, salt, params).map_err(|e| unusable(&e))?;
    // `Output` compares in constant time
    Ok(output == expected)
}

fn derive(password: &SecretString, salt: &[u8], params: Params) -> argon2::Result<Output> {
    let blocks = params.block_count();
    let mut memory = Vec::with_capacity(blocks.max(RESERVED_BLOCKS));
    memory.resize(blocks, Block::default());
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = [0_u8; Params::DEFAULT_OUTPUT_LEN];
    argon.hash_password_into_with_memory(
        password.expose_secret().as_bytes(),
        salt,
        &mut out,
        memory.as_mut_slice(),
    )?;
    Output::new(&out).map_err(|_| argon2::Error::OutputTooLong)
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordVerifier, password_hash};

    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let passwords = Passwords::new();
        let hash = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(
            passwords
                .verify(secret("correct horse"), Some(hash.clone()))
                .await
                .unwrap()
        );
        for wrong in ["correct hors", "", "Correct horse"] {
            assert!(
                !passwords
                    .verify(secret(wrong), Some(hash.clone()))
                    .await
                    .unwrap()
            );
        }
        assert!(
            !passwords
                .verify(secret("correct horse"), None)
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn a_hash_is_what_any_argon2_reads() {
        let hash = Passwords::new()
            .hash(secret("correct horse"))
            .await
            .unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let phc = password_hash::PasswordHash::new(hash.as_str()).unwrap();
        Argon2::default()
            .verify_password(b"correct horse", &phc)
            .unwrap();
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let phc = Phc::new(NOBODY).unwrap();
        let params = Params::try_from(&phc).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (MEMORY_KIB, PASSES, LANES)
        );
        assert!(!verify(&secret("anything"), NOBODY).unwrap());
    }

    #[test]
    fn a_foreign_or_greedy_hash_is_an_error() {
        let greedy = NOBODY.replace("m=19456", "m=4000000");
        for stored in ["", "plain", "$2b$10$abcdefghijklmnopqrstuv", &greedy] {
            assert!(
                verify(&secret("x"), stored).is_err(),
                "{stored} must be refused"
            );
        }
    }
}
