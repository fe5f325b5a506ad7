//! String commands.

use crate::behaviour;

behaviour! {
    get_returns_what_set_stored r#"
        SET k v -> +OK
        GET k -> "v"
        GET missing -> (nil)
        SET k "with space\r\n\x00\xff" -> +OK
        GET k -> "with space\r\n\x00\xff"
    "#
}
