//! The `mpms` program: see [`mpms::app`].

fn main() -> ! {
    mpms::app::main()
}
