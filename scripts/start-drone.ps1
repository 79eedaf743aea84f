<#
.SYNOPSIS
Starts drones that work for a control plane. The count is how many run then. They join with ENROL_TOKEN, else they work with
the shared key.

.EXAMPLE
scripts\start-drone.ps1 -ControlPlane http://gateway:8090 -Count 5 -Interval 5m
#>
param(
    # URL of the gateway.
    [Parameter(Mandatory = $true)] [ValidatePattern('^https?://.+')] [string] $ControlPlane,
    # How many.
    [ValidateRange(1, 1000)] [int] $Count = 1,
    # No profile runs more often than this, such as 5m.
    [ValidatePattern('^(([0-9]+(ms|s|m|h))+)?$')] [string] $Interval = '',
    # Build the image first.
    [switch] $Build,
    # Without Docker: in WSL.
    [switch] $Native
)

. (Join-Path $PSScriptRoot 'lib.ps1')

if ($Native) {
    $arguments = @('--control-plane', $ControlPlane, '--count', "$Count")
    if ($Interval) { $arguments += @('--interval', $Interval) }
    Invoke-Native 'drone-up.sh' $arguments
}
Assert-Docker
if (-not $env:ENROL_TOKEN) {
    if (-not $env:REGISTRY_API_KEY -and -not (Test-Path -LiteralPath (Join-Path $DataDir 'api-key'))) {
        Stop-WithError 64 'there is no key; set ENROL_TOKEN (chartly drone invite), or REGISTRY_API_KEY to the one of the control plane'
    }
    Initialize-Key
}
# Inside a container this machine has another name.
$env:CONTROL_PLANE = $ControlPlane -replace '^(https?://)(localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)', '$1host.docker.internal'
$env:PROCESS_INTERVAL = $Interval
$arguments = @('up', '--detach', '--wait')
if ($Build) { $arguments += '--build' }
$arguments += @('--scale', "drone=$Count")
Invoke-Compose $DroneFile $arguments
Write-Output "$Count drones work for $ControlPlane"
