//! One order: account, proofs, request, certificate.

use std::{sync::Arc, time::Duration};

use instant_acme::{
    Account, AuthorizationStatus, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use zeroize::Zeroizing;

use super::{
    super::Shown,
    AcmeError,
    folder::Folder,
    http::Client,
    proof::{Proof, kind},
};
use crate::config::AcmeConfig;

const UNKNOWN_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

/// Key and chain, PEM.
pub(super) async fn obtain(
    config: &AcmeConfig,
    folder: &Folder,
    shown: &Arc<Shown>,
) -> Result<Zeroizing<Vec<u8>>, AcmeError> {
    let account = account(config, folder).await?;
    let names: Vec<_> = config.names.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await.inspect_err(|e| {
        if matches!(e, Error::Api(problem) if problem.r#type.as_deref() == Some(UNKNOWN_ACCOUNT)) {
            folder.forget_account(&config.directory);
        }
    })?;
    let proofs = proofs(config, shown, &mut order).await?;
    let status = order.poll_ready(&PATIENCE).await;
    if !matches!(status, Ok(OrderStatus::Ready)) {
        return Err(unproven(config, &mut order).await.unwrap_or_else(|| match status {
            Ok(status) => AcmeError::Client(format!("the order is {status:?}")),
            Err(e) => e.into(),
        }));
    }
    drop(proofs);
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(config.names.clone())?;
    parameters.distinguished_name = DistinguishedName::new();
    order.finalize_csr(parameters.serialize_request(&key)?.der()).await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    let mut pem = Zeroizing::new(Zeroizing::new(key.serialize_pem()).as_bytes().to_vec());
    pem.extend_from_slice(chain.as_bytes());
    Ok(pem)
}

async fn account(config: &AcmeConfig, folder: &Folder) -> Result<Account, AcmeError> {
    let builder = Account::builder_with_http(Box::new(Client::new(config)?));
    if let Some(known) = folder.account(&config.directory)? {
        return Ok(builder.from_credentials(known).await?);
    }
    let contact = config.email.as_ref().map(|email| format!("mailto:{email}"));
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&new, config.directory.clone(), None).await?;
    folder.keep_account(&config.directory, &credentials)?;
    Ok(account)
}

/// Shows what proves each name, and has the authority look.
async fn proofs(config: &AcmeConfig, shown: &Arc<Shown>, order: &mut Order) -> Result<Vec<Proof>, AcmeError> {
    let by_http = config.http_listen.is_some();
    let (kind, word, _) = kind(by_http);
    let mut proofs = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let mut challenge = authorization.challenge(kind.clone()).ok_or(AcmeError::NoSuchProof(word))?;
        let answer = challenge.key_authorization();
        proofs.push(match by_http {
            true => Proof::token(shown, &challenge.token, &answer),
            false => Proof::certificate(shown, &name, &answer)?,
        });
        challenge.set_ready().await?;
    }
    Ok(proofs)
}

/// What the authority says of the first proof that it does not accept.
async fn unproven(config: &AcmeConfig, order: &mut Order) -> Option<AcmeError> {
    let (_, _, port) = kind(config.http_listen.is_some());
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        authorization.refresh().await.ok()?;
        let name = authorization.identifier().to_string();
        if let Some(problem) = authorization.challenges.iter().find_map(|c| c.error.as_ref()) {
            return Some(AcmeError::Unproven { name, port, why: wire::plain(&problem.to_string()) });
        }
    }
    None
}
