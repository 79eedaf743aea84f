<#
.SYNOPSIS
Starts the control plane and waits until it is ready.

.EXAMPLE
scripts\deploy-control.ps1

.EXAMPLE
scripts\deploy-control.ps1 -Port 9000 -Build
#>
param(
    # Port of the gateway.
    [ValidateRange(1, 65535)] [int] $Port = 8090,
    # Build the image first.
    [switch] $Build,
    # Keep the store in a Postgres container; needs POSTGRES_PASSWORD in the environment.
    [switch] $Postgres,
    # Without Docker: in WSL.
    [switch] $Native
)

. (Join-Path $PSScriptRoot 'lib.ps1')

if ($Native) { Invoke-Native 'control-plane-up.sh' @('--port', "$Port") }
Assert-Docker
Initialize-Key
$env:GATEWAY_PORT = "$Port"
if ($Postgres) {
    if (-not $env:POSTGRES_PASSWORD) { Stop-WithError 64 '-Postgres needs POSTGRES_PASSWORD in the environment' }
    $env:COMPOSE_PROFILES = 'postgres'
}
$arguments = @('up', '--detach', '--wait')
if ($Build) { $arguments += '--build' }
Invoke-Compose $ControlFile $arguments

foreach ($path in '/health', '/api/status', '/api/profiles', '/api/results/summary') {
    $answer = Invoke-WebRequest -UseBasicParsing -Uri "http://127.0.0.1:$Port$path" -Headers @{ 'X-API-Key' = $env:REGISTRY_API_KEY }
    Write-Output "  $($answer.StatusCode)  $path"
}
Write-Output "the control plane is up: http://127.0.0.1:$Port"
Write-Output "  drones   scripts\start-drone.ps1 -ControlPlane http://127.0.0.1:$Port"
Write-Output "  the key  $(Join-Path $DataDir 'api-key') (header X-API-Key), unless REGISTRY_API_KEY was set"
