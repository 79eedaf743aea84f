//! The scripts for Windows, read by a grammar of PowerShell: no Windows is needed to see that they are whole.

use std::fs;

use crate::ended::repository;
use crate::tools;

const READ: &str = "
import sys, tree_sitter, tree_sitter_powershell
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
def wrong(node):
    if node.type == 'ERROR' or node.is_missing:
        yield node
    for child in node.children:
        yield from wrong(child)
for name in sys.argv[1:]:
    for node in wrong(parser.parse(open(name, 'rb').read()).root_node):
        print(f'{name}:{node.start_point[0] + 1}: {node.type}')
";

fn scripts() -> Vec<String> {
    let all = fs::read_dir(repository().join("scripts")).unwrap().flatten().map(|entry| entry.path());
    all.filter(|path| path.extension().is_some_and(|end| end == "ps1")).map(|path| path.display().to_string()).collect()
}

#[test]
fn every_script_for_windows_can_be_read() {
    // Found together with the linters, so that it has the grammar.
    if tools::find("check-jsonschema", "deploy::powershell").is_none() {
        return;
    }
    let read = |files: &[String]| {
        let python = tools::find("python3", "deploy::powershell").unwrap();
        let mut python = python;
        let output = python.args(["-c", READ]).args(files).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let scripts = scripts();
    assert_eq!(scripts.len(), 5, "{scripts:?}");
    assert_eq!(read(&scripts), "");
    let folder = tempfile::tempdir().unwrap();
    let half = folder.path().join("half.ps1");
    fs::write(&half, "if ($x) { Write-Output 'y'\n").unwrap();
    assert_ne!(read(&[half.display().to_string()]), "", "half a script is noticed");
}

/// The names and parameters that people were told; Windows PowerShell reads a file without a mark as ASCII.
#[test]
fn the_scripts_for_windows_take_what_people_were_told() {
    for (name, parameters) in [
        ("deploy-control", &["[switch] $Native", "[int] $Port"][..]),
        ("start-drone", &["[Parameter(Mandatory = $true)]", "[string] $ControlPlane", "[switch] $Native"]),
        ("stop-all", &["[switch] $Native"]),
        ("reset-data", &["[switch] $Apply", "[switch] $Force", "-cne 'RESET'"]),
    ] {
        let text = fs::read_to_string(repository().join(format!("scripts/{name}.ps1"))).unwrap();
        assert!(text.is_ascii(), "{name}");
        for parameter in parameters {
            assert!(text.contains(parameter), "{name}: {parameter}");
        }
    }
}
