//! What the README shows is what the tests compile.

/// The only C++ block of the README is the example program, from its first include on.
#[test]
fn readme_shows_the_example_that_is_compiled() {
    let readme = include_str!("../README.md");
    let example = include_str!("../cpp_tests/example/example.cpp");
    let (_, shown) = readme.split_once("```cpp\n").expect("the README has a C++ block");
    let (shown, _) = shown.split_once("```").expect("the block ends");
    let begin = example.find("#include").expect("the example includes the header");
    assert_eq!(shown.trim_end(), example[begin..].trim_end(), "README.md and cpp_tests/example/example.cpp differ");
}
