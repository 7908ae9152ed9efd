//! The benchmarks of `cargo xtask bench`, all in one place: those of the library in `benches/`, those of the
//! running server beside Django in `server/`, in Python, with `xtask/src/bench` to make the load.
