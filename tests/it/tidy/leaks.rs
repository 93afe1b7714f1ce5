//! What must not be committed: paths of somebody's machine, and places that only that machine can
//! fetch packages from.

use std::path::Path;

/// The only source of packages in Cargo.lock.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// One complaint for each line that names a home directory or a package index.
pub fn leaks(file: &Path, text: &str) -> Vec<String> {
    let homes = ["root", "home", "Users"].map(|folder| format!("/{folder}/"));
    let indexes = ["index", "extra-index"].map(|option| format!("--{option}-url"));
    let lock = file.ends_with("Cargo.lock");
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let what = if homes.iter().any(|home| names_path(line, home)) {
            "a path of one machine"
        } else if indexes.iter().any(|option| line.contains(option)) {
            "a package index of one's own"
        } else if lock
            && line.starts_with("source = ")
            && line != format!("source = \"{CRATES_IO}\"")
        {
            "a package that is not from crates.io"
        } else {
            continue;
        };
        complaints.push(format!("{}:{}: {what} is not for others", file.display(), number + 1));
    }
    complaints
}

/// Whether an absolute path begins with `home`: `https://host/home/x` and `config/home/` do not.
fn names_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-}".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(file: &str, text: &str) -> usize {
        leaks(Path::new(file), text).len()
    }

    #[test]
    fn a_path_of_one_machine_is_refused() {
        for folder in ["root", "home", "Users"] {
            for text in [
                format!("cd /{folder}/me"),
                format!("\"/{folder}/me\""),
                format!("file:///{folder}/me"),
                format!("PATH=/{folder}/me/bin"),
            ] {
                assert_eq!(count("README.md", &text), 1, "{text}");
            }
            for text in [
                format!("https://example.org/{folder}/x"),
                format!("${{PREFIX}}/{folder}/x"),
                format!("/{folder}"),
                format!("a/{folder}/b"),
            ] {
                assert_eq!(count("README.md", &text), 0, "{text}");
            }
        }
    }

    #[test]
    fn a_package_index_of_ones_own_is_refused() {
        assert_eq!(
            count(
                "scripts/python.sh",
                &format!("pip install --{}-url https://pypi.example.org", "extra-index")
            ),
            1
        );
        assert_eq!(
            count("Cargo.lock", "source = \"registry+https://crates.example.org/index\""),
            1
        );
        assert_eq!(count("Cargo.lock", &format!("source = \"{CRATES_IO}\"")), 0);
    }
}
