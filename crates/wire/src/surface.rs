//! Which surface a request line names.

use quell_domain::interaction::Endpoint;

/// The inspected surface of `method` and `path` (without query), if it is one. Paths match exactly:
/// what an upstream might normalise into a surface is none here.
pub fn endpoint_for(method: &str, path: &str) -> Option<Endpoint> {
    match (method, path) {
        ("POST", "/v1/chat/completions") => Some(Endpoint::ChatCompletions),
        ("POST", "/v1/completions") => Some(Endpoint::Completions),
        ("POST", "/v1/responses") => Some(Endpoint::Responses),
        ("POST", "/v1/embeddings") => Some(Endpoint::Embeddings),
        ("POST", "/v1/messages") => Some(Endpoint::Messages),
        ("GET", "/v1/models") => Some(Endpoint::Models),
        ("GET", path) => {
            path.strip_prefix("/v1/models/").filter(|id| is_model_id(id)).map(|_| Endpoint::Models)
        }
        _ => None,
    }
}

fn is_model_id(id: &str) -> bool {
    id.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_paths_are_surfaces() {
        for (method, path, expected) in [
            ("POST", "/v1/chat/completions", Some(Endpoint::ChatCompletions)),
            ("POST", "/v1/messages", Some(Endpoint::Messages)),
            ("GET", "/v1/models", Some(Endpoint::Models)),
            ("GET", "/v1/models/gpt-4.1", Some(Endpoint::Models)),
            ("GET", "/v1/models/org/name", Some(Endpoint::Models)),
            ("GET", "/v1/models/../files", None),
            ("GET", "/v1/models/org/../files", None),
            ("GET", "/v1/models/..", None),
            ("GET", "/v1/chat/completions", None),
            ("POST", "/v1//chat/completions", None),
            ("POST", "/v1/chat/completions/", None),
            ("POST", "/V1/chat/completions", None),
            ("POST", "/v1/chat%2fcompletions", None),
            ("POST", "/v1/messages/batches", None),
            ("DELETE", "/v1/models/gpt-4.1", None),
        ] {
            assert_eq!(endpoint_for(method, path), expected, "{method} {path}");
        }
    }
}
