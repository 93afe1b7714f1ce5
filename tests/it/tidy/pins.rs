//! What is fetched from `PyPI` and npm is pinned by hash, with all that it brings: no lock without
//! hashes, no list that differs from its lock, no command that would install something else.

use std::path::Path;

use serde_json::Value;

/// A lock of `scripts/python` or `scripts/wheels` (`NAME.txt`): one complaint for each requirement
/// that has no exact version or no hash, and for each line that is none.
pub fn unpinned(lock: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines: Vec<&str> = text.lines().filter(|line| !is_comment(line)).collect();
    for (index, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with("--hash=sha256:") {
            continue;
        }
        let hashed = line.ends_with('\\')
            && lines.get(index + 1).is_some_and(|next| next.trim().starts_with("--hash=sha256:"));
        if !line.contains("==") || !hashed {
            complaints.push(format!(
                "{}: {line} has no exact version or no hash: make locks",
                lock.display()
            ));
        }
    }
    complaints
}

/// A list (`NAME.in`) and the lock that was made of it: one complaint for each package that is
/// listed without an exact version, or that the lock has in another one.
pub fn stale(list: &Path, text: &str, lock: &str) -> Vec<String> {
    let pins: Vec<&str> = lock
        .lines()
        .filter_map(|line| line.trim_end_matches('\\').split(';').next().map(str::trim))
        .collect();
    // A lock has names in lower case.
    let of_lock = |pin: &str| pins.contains(&pin.to_lowercase().as_str());
    let lines = text.lines().filter(|line| !is_comment(line) && !line.starts_with("-r "));
    lines
        .filter_map(|line| {
            let what = if !line.contains("==") {
                "has no exact version (NAME==VERSION)"
            } else if !of_lock(line.trim()) {
                "is not so in the lock: make locks"
            } else {
                return None;
            };
            Some(format!("{}: {line} {what}", list.display()))
        })
        .collect()
}

/// A `package-lock.json`: one complaint for each package without a hash, and for each that names
/// where it came from, which may be a mirror of somebody's own.
pub fn unpinned_node(lock: &Path, text: &str) -> Vec<String> {
    let read: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(packages) = read["packages"].as_object().filter(|packages| packages.len() > 1) else {
        return vec![format!("{}: has no packages", lock.display())];
    };
    packages
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .filter(|(_, package)| {
            !package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-"))
                || !package["resolved"].is_null()
        })
        .map(|(name, _)| {
            format!("{}: {name} has no hash, or the address of a registry", lock.display())
        })
        .collect()
}

/// A script: one complaint for each command that installs what no lock pins.
pub fn installs(script: &Path, text: &str) -> Vec<String> {
    text.replace("\\\n", " ")
        .lines()
        .filter(|line| !is_comment(line) && !line.contains("echo "))
        .filter(|line| {
            let words: Vec<&str> =
                line.split_whitespace().map(|word| word.trim_matches(['"', '(', ')'])).collect();
            let has = |word: &str| words.contains(&word);
            let after = |tool: &[&str], verb: &str| {
                words.windows(2).any(|pair| tool.contains(&pair[0]) && pair[1] == verb)
            };
            // What was built here a moment ago has no hash, and brings nothing with it.
            let is_own = has("--no-deps") && line.contains(".whl");
            let pip = (has("pip") && has("-m") || has("$pip")) && has("install");
            pip && !has("--require-hashes") && !is_own
                || after(&["npm"], "install") && !has("--package-lock-only")
                || after(&["npm"], "ci") && !has("--ignore-scripts")
                || after(&["cargo", "$cargo", "${CARGO:-cargo}"], "install") && !has("--locked")
        })
        .map(|line| format!("{}: installs what no lock pins: {}", script.display(), line.trim()))
        .collect()
}

fn is_comment(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_without_a_hash_or_a_version_is_refused() {
        let file = Path::new("scripts/python/test.txt");
        let count = |text: &str| unpinned(file, text).len();
        assert_eq!(count("# made by\na==1 \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\n"), 0);
        assert_eq!(
            count("a==1 ; python_version < '3.12' \\\n    --hash=sha256:0\n    # via b\n"),
            0
        );
        for bad in [
            "a==1\n",
            "a==1 \\\nb==1 \\\n    --hash=sha256:0\n",
            "a>=1 \\\n    --hash=sha256:0\n",
            "-e .\n",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
    }

    #[test]
    fn a_list_that_differs_from_its_lock_is_refused() {
        let lock = "pyyaml==6.0.3 \\\n    --hash=sha256:0\nnumpy==2.4 ; python_version < '3' \\\n";
        let count = |text: &str| stale(Path::new("scripts/python/plot.in"), text, lock).len();
        assert_eq!(count("# Why.\n-r test.in\nPyYAML==6.0.3\nnumpy==2.4\n"), 0);
        for bad in ["PyYAML==6.0.4", "PyYAML", "yaml==6.0.3", "PyYAML>=6.0.3"] {
            assert_eq!(count(bad), 1, "{bad}");
        }
    }

    #[test]
    fn a_lock_of_npm_without_a_hash_or_with_an_address_is_refused() {
        let count = |package: &str| {
            let text = format!(r#"{{"packages": {{"": {{}}, "node_modules/a": {package}}}}}"#);
            unpinned_node(Path::new("package-lock.json"), &text).len()
        };
        assert_eq!(count(r#"{"integrity": "sha512-x"}"#), 0);
        for bad in
            ["{}", r#"{"integrity": "sha1-x"}"#, r#"{"integrity": "sha512-x", "resolved": "x"}"#]
        {
            assert_eq!(count(bad), 1, "{bad}");
        }
        assert_eq!(unpinned_node(Path::new("package-lock.json"), "{}").len(), 1);
    }

    #[test]
    fn a_command_that_installs_what_no_lock_pins_is_refused() {
        let count = |text: &str| installs(Path::new("scripts/x.sh"), text).len();
        for good in [
            "\"$python\" -m pip install --quiet --require-hashes \\\n    --requirement x.txt",
            "$pip install --require-hashes -r x",
            "python3 -m pip install --no-deps \"$new\"/wheels/*.whl",
            "npm ci --ignore-scripts",
            "npm install --package-lock-only",
            "\"$cargo\" install --locked \"$name\"",
            "# npm install x",
            "echo 'no cargo-deny: cargo install cargo-deny' >&2",
        ] {
            assert_eq!(count(good), 0, "{good}");
        }
        for bad in [
            "python3 -m pip install --no-deps x==1",
            "\"$python\" -m pip install \\\n    x",
            "$pip install x",
            "(cd x && npm install --silent)",
            "npm ci",
            "cargo install inferno",
            "\"${CARGO:-cargo}\" install x",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
    }
}
