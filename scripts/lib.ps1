# What the scripts for Windows share. Dot-sourced, never run.
#
# Chartly runs on Linux. On Windows it runs in Docker; with -Native it runs in WSL, by the scripts for Linux beside this one.

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Root = Split-Path -Parent $PSScriptRoot
$ControlFile = Join-Path $Root 'docker-compose.control.yml'
$DroneFile = Join-Path $Root 'docker-compose.drone.yml'
$DataDir = Join-Path $Root 'data'
if ($env:DATA_DIR) { $DataDir = $env:DATA_DIR }

function Stop-WithError([int] $Code, [string] $Text) {
    [Console]::Error.WriteLine($Text)
    exit $Code
}

function Assert-Docker {
    if (-not (Get-Command docker -ErrorAction SilentlyContinue)) {
        Stop-WithError 69 'docker is not there; install Docker Desktop, or add -Native for WSL'
    }
    # What a program writes to stderr is an error in Windows PowerShell; only the exit code counts here.
    try { docker compose version *> $null } catch { Write-Verbose "$_" }
    if ($LASTEXITCODE -ne 0) { Stop-WithError 69 'docker compose is not there; update Docker Desktop' }
}

function Invoke-Compose([string] $File, [string[]] $Arguments) {
    docker compose -f $File @Arguments
    if ($LASTEXITCODE -ne 0) { Stop-WithError 1 "docker compose ended with exit code $LASTEXITCODE" }
}

# Runs a script for Linux: in WSL on Windows, as it is elsewhere.
function Invoke-Native([string] $Script, [string[]] $Arguments) {
    Push-Location $PSScriptRoot
    try {
        if ($env:OS -eq 'Windows_NT') { wsl bash "./$Script" --native @Arguments }
        else { bash "./$Script" --native @Arguments }
        $code = $LASTEXITCODE
    }
    finally { Pop-Location }
    exit $code
}

# The key of this installation: the one that is set, else the one in the data folder, else a new one there.
function Initialize-Key {
    if ($env:REGISTRY_API_KEY) { return }
    $file = Join-Path $DataDir 'api-key'
    if (-not (Test-Path -LiteralPath $file)) {
        New-Item -ItemType Directory -Force -Path $DataDir | Out-Null
        $bytes = New-Object byte[] 24
        $random = [Security.Cryptography.RandomNumberGenerator]::Create()
        $random.GetBytes($bytes)
        $key = 'chartly_' + [BitConverter]::ToString($bytes).Replace('-', '').ToLowerInvariant()
        Set-Content -LiteralPath $file -Value $key -Encoding ascii
        if ($env:OS -eq 'Windows_NT') {
            icacls $file /inheritance:r /grant:r "$($env:USERNAME):F" | Out-Null
        }
        else { chmod 600 $file }
    }
    $env:REGISTRY_API_KEY = (Get-Content -LiteralPath $file -Raw).Trim()
}
