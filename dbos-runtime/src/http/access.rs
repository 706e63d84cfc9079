//! Who may: the program's authenticator says who asks, a route says who is let in.

use std::fmt::Display;

use futures_util::future::BoxFuture;

use super::HttpError;
use crate::caller::{Identity, caller};
use crate::{Error, Result};

/// Whom a route lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, and nobody is asked who it is: health checks.
    Unasked,
    /// Anyone.
    Anyone,
    /// Any user that the authenticator knows.
    User,
    /// A user with one of these roles.
    Roles(&'static [&'static str]),
}

/// The function that says who asks, as its attribute registers it.
#[derive(Debug)]
pub struct Authenticator {
    /// Its name.
    pub function: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The line it is at.
    pub line: u32,
    /// Says who sends the current request; `None` for somebody unknown.
    pub identify: fn() -> BoxFuture<'static, Result<Option<Identity>, HttpError>>,
}

inventory::collect!(Authenticator);

/// What an authenticator returns.
///
/// # Errors
///
/// What the authenticator says, with its status.
#[doc(hidden)]
pub fn identified<E: Into<HttpError>>(outcome: Result<Option<Identity>, E>) -> Result<Option<Identity>, HttpError> {
    outcome.map_err(Into::into)
}

impl Authenticator {
    fn place(&self) -> String {
        format!("`{}` ({}:{})", self.function, self.file, self.line)
    }
}

/// The authenticator of the program, if it has one.
pub(super) fn authenticator() -> Result<Option<&'static Authenticator>> {
    let mut found: Vec<_> = inventory::iter::<Authenticator>.into_iter().collect();
    found.sort_by_key(|authenticator| (authenticator.file, authenticator.line));
    match found.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        [first, second, ..] => Err(Error::Duplicate {
            what: "the authenticator of the program".to_owned(),
            first: first.place(),
            second: second.place(),
        }),
    }
}

impl Access {
    /// Lets the current request in, or says why not.
    pub(super) async fn admit(self, authenticator: Option<&Authenticator>) -> Result<(), HttpError> {
        let (Some(authenticator), Some(caller)) = (authenticator.filter(|_| self != Self::Unasked), caller()) else {
            return Ok(());
        };
        let identity = (authenticator.identify)().await?;
        let assumed_role = self.assumed_role(identity.as_ref())?;
        if let Some(Identity { user, roles }) = identity {
            caller.learn(|known| (known.user, known.roles, known.assumed_role) = (Some(user), roles, assumed_role));
        }
        Ok(())
    }

    /// The role that opens the way, if it takes one.
    fn assumed_role(self, identity: Option<&Identity>) -> Result<Option<String>, HttpError> {
        match (self, identity) {
            (Self::User | Self::Roles(_), None) => Err(HttpError::new(401, "say who you are")),
            (Self::Roles(wanted), Some(identity)) => {
                let role = wanted.iter().find(|role| identity.roles.iter().any(|has| has == **role));
                let refused = || HttpError::new(403, format!("this takes {}", one_of(wanted)));
                role.map(|role| Some((*role).to_owned())).ok_or_else(refused)
            }
            (Self::Unasked | Self::Anyone | Self::User, _) => Ok(None),
        }
    }

    /// Whether only an authenticator could let somebody in.
    pub(super) fn needs_authenticator(self) -> bool {
        matches!(self, Self::User | Self::Roles(_))
    }
}

fn one_of(roles: &[impl Display]) -> String {
    let roles: Vec<_> = roles.iter().map(|role| format!("`{role}`")).collect();
    match roles.as_slice() {
        [only] => format!("the role {only}"),
        roles => format!("one of the roles {}", roles.join(", ")),
    }
}
