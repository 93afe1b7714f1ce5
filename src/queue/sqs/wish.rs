//! A wish for a FIPS or a dual-stack endpoint, which the AWS settings of this machine have, and what
//! meets it.

use aws_config::SdkConfig;
use aws_sdk_sqs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use futures_util::FutureExt;

use super::url::ServerUrl;

/// What is asked of an endpoint, or what its name says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub fips: bool,
    pub dual_stack: bool,
}

impl Wish {
    pub fn of(sdk: &SdkConfig) -> Self {
        Self { fips: sdk.use_fips() == Some(true), dual_stack: sdk.use_dual_stack() == Some(true) }
    }

    /// What a host offers by its name.
    fn named_by(host: &str) -> Self {
        Self {
            fips: host.split(['.', '-']).any(|label| label == "fips"),
            dual_stack: [".api.aws", ".api.amazonwebservices.com.cn"]
                .iter()
                .any(|domain| host.ends_with(domain)),
        }
    }

    /// What of it `url` does not meet. In some regions the plain host is the FIPS one.
    pub fn unmet_by(self, url: &ServerUrl) -> Self {
        let named = Self::named_by(url.host());
        let is_it =
            |wish: Self| wish.endpoint_beside(url).is_some_and(|it| it.host() == url.host());
        let fips = self.fips && !named.fips && !is_it(Self { fips: true, ..named });
        // Whether another server has addresses of both kinds is for its DNS to say.
        let dual_stack = self.dual_stack && !named.dual_stack && is_public(url);
        Self { fips, dual_stack }
    }

    /// What asks for it, as it stands in a sentence.
    pub const fn setting(self) -> &'static str {
        match self {
            Self { fips: true, dual_stack: false } => "the AWS setting for FIPS",
            Self { fips: false, .. } => "the AWS setting for dual stack",
            Self { .. } => "the AWS settings for FIPS and dual stack",
        }
    }

    pub const fn is_none(self) -> bool {
        !self.fips && !self.dual_stack
    }

    /// The endpoint of AWS that meets this and all that `url` has already, in its region. `None`
    /// where `url` is not the public address of a region.
    pub fn endpoint_beside(self, url: &ServerUrl) -> Option<ServerUrl> {
        let region = url.region().filter(|_| is_public(url))?;
        let named = Self::named_by(url.host());
        let asked = Params::builder()
            .region(region.to_string())
            .use_fips(self.fips || named.fips)
            .use_dual_stack(self.dual_stack || named.dual_stack)
            .build()
            .ok()?;
        let resolver = DefaultResolver::new();
        let made = ResolveEndpoint::resolve_endpoint(&resolver, &asked).now_or_never()?.ok()?;
        ServerUrl::parse(made.url())
    }
}

/// What is said of a variable of a wish that the SDK would pass over, because it says neither yes nor
/// no.
pub(super) fn unreadable(value_of: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_odd = |name: &&str| {
        let value = value_of(name).unwrap_or_default().trim().to_ascii_lowercase();
        !["", "true", "false"].contains(&value.as_str())
    };
    let name = ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"].into_iter().find(is_odd)?;
    Some(format!("{name} is neither true nor false: correct it, or remove it"))
}

/// Whether a URL has the public address of a region, which has others for FIPS and dual stack.
fn is_public(url: &ServerUrl) -> bool {
    url.region().is_some()
        && !url.host().split('.').any(|label| label == "vpce")
        && !super::region::is_localstack(url.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_is_neither_true_nor_false_is_not_passed_over() {
        let read = |fips: &str| {
            unreadable(|name| (name == "AWS_USE_FIPS_ENDPOINT").then(|| fips.to_owned()))
        };
        let text = read("maybe").unwrap_or_default();
        assert!(text.contains("AWS_USE_FIPS_ENDPOINT is neither true nor false"), "{text}");
        for fine in ["true", "FALSE", " true ", ""] {
            assert_eq!(read(fine), None, "{fine:?}");
        }
        assert_eq!(unreadable(|_| None), None);
    }
}
