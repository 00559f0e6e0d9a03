//! What the README and docs/LANGUAGES.md show is what the tests compile and run.

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

/// docs/LANGUAGES.md names a program before each block; the tests of its client run it.
#[test]
fn languages_page_shows_the_programs_that_are_run() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = include_str!("../docs/LANGUAGES.md");
    let mut shown = Vec::new();
    for part in page.split("\n## ").skip(1) {
        let Some((before, block)) = part.split_once("\n```") else { continue };
        let path = before.rsplit('`').nth(1).expect("a path is named before the block");
        let (_, block) = block.split_once('\n').expect("the block has lines");
        let (block, _) = block.split_once("\n```").expect("the block ends");
        let program = std::fs::read_to_string(root.join(path)).expect("the program that the page names");
        assert!(program.trim_end().ends_with(block), "docs/LANGUAGES.md and {path} differ");
        shown.push(path.to_owned());
    }
    let clients = std::fs::read_dir(root.join("clients")).expect("the clients").filter_map(|entry| {
        let path = entry.expect("an entry").path();
        path.is_dir().then(|| path.file_name().expect("a name").to_string_lossy().into_owned())
    });
    for client in clients {
        assert!(shown.iter().any(|path| path.starts_with(&format!("clients/{client}/"))), "{client} is not shown");
    }
}
