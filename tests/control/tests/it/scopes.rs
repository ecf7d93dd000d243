//! What an API key may do: every operation against every scope, and no way to more than one holds.

use api::{OPERATIONS, apikey, code, node, user};
use ident::{Scope, Scopes};

use crate::{admin::Admin, house::House};

fn scopes(texts: &[&str]) -> Option<Scopes> {
    Some(texts.iter().map(|text| text.parse::<Scope>().unwrap()).collect())
}

/// A key with these scopes, made by this caller: who uses it, and its id.
async fn mint(house: &House, by: &Admin, scopes: Option<Scopes>) -> Result<(Admin, String), api::Problem> {
    let create = apikey::Create { scopes, ..apikey::Create::default() };
    let created = by.call(&apikey::CREATE, &[], &create).await?.outcome;
    let bearer = format!("Bearer {}", created.secret.unwrap().expose());
    Ok((Admin::remote(house.address, Some(bearer)), created.apikey.unwrap().id.to_string()))
}

async fn revoke(by: &Admin, id: &str) -> Result<bool, api::Problem> {
    Ok(by.call(&apikey::REVOKE, &[id], &()).await?.changed)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_opens_to_the_scopes_that_cover_its_own_and_to_no_other() {
    let house = House::open().await;
    let (mut opened, mut closed) = (0, 0);
    for scope in Scope::every() {
        let (caller, _) = mint(&house, &house.admin, Some([scope].into_iter().collect())).await.unwrap();
        for operation in OPERATIONS {
            let values = ["default", "999999", "999999"];
            let path = operation.at(&values[..operation.path.matches('{').count()]).unwrap();
            // Tried only, and what streams is asked for what it does not take.
            let query = if operation.writes { "check=true" } else { "after=x" };
            let (status, text) = caller
                .raw(&operation.method.to_string(), &format!("{path}?{query}"), String::new())
                .await
                .unwrap();
            let lacks = status == 403 && text.contains(code::LACKS_SCOPE);
            let may = scope.covers(operation.scope().unwrap());
            assert_eq!(lacks, !may, "{scope}: {} {path}: {status} {text}", operation.method);
            assert!(status != 401 && status.as_u16() < 500, "{scope}: {} {path}: {status}", operation.method);
            *(if may { &mut opened } else { &mut closed }) += 1;
        }
    }
    assert!(opened > OPERATIONS.len() * 2 && closed > OPERATIONS.len() * 10, "{opened} {closed}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_headscales_tools_needs_its_scope_too() {
    let house = House::open().await;
    let before = crate::house::durable(&house.world())["nodes"].clone();
    for scope in Scope::every() {
        let (caller, _) = mint(&house, &house.admin, Some([scope].into_iter().collect())).await.unwrap();
        for call in api::v1::OPERATIONS {
            let values = ["999999", "999999"];
            let path = call.at(&values[..call.path.matches('{').count()]).unwrap();
            // What is let in finds a body that says nothing.
            let (status, text) = caller.raw(&call.method.to_string(), &path, "[".into()).await.unwrap();
            let may = scope.covers(call.scope().unwrap());
            let wanted = if may { 400 } else { 403 };
            assert_eq!(status, wanted, "{scope}: {} {path}: {text}", call.method);
        }
    }
    assert_eq!(crate::house::durable(&house.world())["nodes"], before);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_no_key_that_may_do_more() {
    let house = House::open().await;
    let (minter, _) = mint(&house, &house.admin, scopes(&["apikey:write", "node:write"])).await.unwrap();
    for wider in [&["all"][..], &["all:read"], &["user:read"], &["node:read", "user:write"]] {
        let problem = mint(&house, &minter, scopes(wider)).await.unwrap_err();
        assert_eq!((problem.status, problem.code.as_str()), (403, "wider_than_caller"), "{wider:?}");
    }
    assert_eq!(mint(&house, &minter, scopes(&[])).await.unwrap_err().status, 422);
    let (narrow, _) = mint(&house, &minter, scopes(&["node:read"])).await.unwrap();
    narrow.call(&node::LIST, &[], &()).await.unwrap();
    assert_eq!(narrow.call(&user::LIST, &[], &()).await.unwrap_err().code, code::LACKS_SCOPE);
    assert_eq!(mint(&house, &narrow, scopes(&["node:read"])).await.unwrap_err().code, code::LACKS_SCOPE);

    let (_, same) = mint(&house, &minter, None).await.unwrap();
    let list = house.admin.call(&apikey::LIST, &[], &()).await.unwrap().apikeys;
    let made = list.iter().find(|k| k.id.to_string() == same).unwrap();
    assert_eq!(Some(made.scopes.clone()), scopes(&["apikey:write", "node:write"]), "those of its maker");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_key_that_could_make_its_like_does_not_revoke_itself() {
    let house = House::open().await;
    let (admin, id) = mint(&house, &house.admin, None).await.unwrap();
    let (_, narrow) = mint(&house, &admin, scopes(&["apikey:write", "node:write"])).await.unwrap();
    let problem = revoke(&admin, &id).await.unwrap_err();
    assert_eq!((problem.status, problem.code.as_str()), (409, "last_admin"));
    for (method, path) in [("DELETE", format!("/{id}")), ("POST", format!("/expire?id={id}"))] {
        let (status, text) =
            admin.raw(method, &format!("/api/v1/apikey{path}"), String::new()).await.unwrap();
        assert_eq!(status, 409, "by headscale's interface neither: {text}");
    }
    let (successor, second) = mint(&house, &admin, None).await.unwrap();
    assert!(revoke(&admin, &id).await.unwrap(), "another one is as good");
    assert_eq!(admin.call(&node::LIST, &[], &()).await.unwrap_err().status, 401);

    assert!(revoke(&successor, &narrow).await.unwrap(), "others it may");
    let (reader, third) = mint(&house, &successor, scopes(&["node:read"])).await.unwrap();
    assert_eq!(revoke(&reader, &third).await.unwrap_err().code, code::LACKS_SCOPE);
    assert_eq!(revoke(&successor, &second).await.unwrap_err().code, "last_admin");
    assert!(revoke(&house.admin, &second).await.unwrap(), "over the local socket it goes all the same");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_outlive_a_restart() {
    let house = House::open().await;
    let (caller, _) = mint(&house, &house.admin, scopes(&["node:read"])).await.unwrap();
    let house = house.restart().await;
    caller.call(&node::LIST, &[], &()).await.unwrap();
    assert_eq!(caller.call(&user::LIST, &[], &()).await.unwrap_err().code, code::LACKS_SCOPE);
    house.close().await;
}
