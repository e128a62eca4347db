//! Why a token is not good, in words for whoever presents it. They never quote the token; what helps against it, and which setting that is,
//! the token's issuer adds ([`crate::token::Issuer::told`]).

use std::fmt;

use super::Claims;

/// Why a token is not good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It has not the form of a token.
    Malformed(&'static str),
    /// It is signed in a way that is not taken here.
    Algorithm,
    /// Its `iss` is nobody's whose tokens are taken here.
    Issuer,
    /// No key of its issuer has its `kid` and algorithm. It may be a new one.
    UnknownKey,
    /// Its key is one for RSA, and too small to be believed.
    SmallKey,
    /// The signature is not that of its key.
    Signature,
    /// It is for somebody else.
    Audience,
    /// A rule asks for something else than this claim says.
    Rule(String),
    /// It is not valid yet.
    NotYet,
    /// It was valid once, and said this.
    Expired(Box<Claims>),
    /// A claim is missing, or is not what it must be.
    Claim(String, &'static str),
}

impl TokenFault {
    pub(super) fn claim(name: &str, complaint: &'static str) -> Self {
        Self::Claim(name.to_owned(), complaint)
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(complaint) => write!(f, "The token is malformed: {complaint}."),
            Self::Algorithm => f.write_str(
                "The token must be signed with HS256, ES256, ES384, EdDSA, RS256, RS384, RS512 or PS256: set the algorithm where it is made.",
            ),
            Self::Issuer => f.write_str(
                "The token's iss is no issuer of this deployment. Set TOKEN_ISSUER to it, letter for letter, or name it in TOKEN_ISSUERS.",
            ),
            Self::UnknownKey => f.write_str("No key of this deployment has the token's kid and algorithm."),
            Self::SmallKey => f.write_str(
                "The token's key is an RSA key of fewer than 2,048 bits. Have its issuer sign with a larger one.",
            ),
            Self::Signature => f.write_str("The token's signature is not valid."),
            Self::Audience => f.write_str("The token is for another audience."),
            Self::Rule(claim) => write!(f, "The token's claim {claim} is not what the rules ask for."),
            Self::NotYet => {
                f.write_str("The token is not valid yet. Where it was made just now, a clock is wrong by more than 30 seconds.")
            }
            Self::Expired(_) => f.write_str("The token has expired."),
            Self::Claim(claim, complaint) => write!(f, "The token's claim {claim} {complaint}."),
        }
    }
}
