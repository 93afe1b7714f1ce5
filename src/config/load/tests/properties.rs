//! What holds for any key and any value.

use super::{Sources, load, with_flags, with_variables};

proptest::proptest! {
    #[test]
    fn no_text_in_a_variable_or_flag_panics(
        key in "(queue|db|routes|message|batch)(\\.[a-z_\"]{0,8}){0,3}",
        value in "[\\PC\\[\\]{}\":,0-9]{0,24}",
    ) {
        let variable = format!("LONGSHORE__{}", key.replace('.', "__"));
        let _ = with_flags(&[(&key, &value)]);
        let _ = with_variables(&[(&variable, &value)]);
    }

    #[test]
    fn no_value_of_a_known_key_panics(index in 0_usize..60, value in "[\\PC\\[\\]{}\":,0-9a-z]{0,24}") {
        let known = load(Sources::default()).expect("valid").effective;
        let key = &known[index % known.len()].key;
        let _ = with_flags(&[(key, &value)]);
    }
}
