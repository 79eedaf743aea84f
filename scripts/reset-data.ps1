<#
.SYNOPSIS
Removes all records, runs, profiles that came by the API, and spools: the volumes of the containers. Shows what would go unless
-Apply is given, which asks for the word RESET unless -Force is given too. The key in the data folder stays.
#>
param(
    # Do it.
    [switch] $Apply,
    # Do not ask.
    [switch] $Force,
    # Without Docker: in WSL.
    [switch] $Native
)

. (Join-Path $PSScriptRoot 'lib.ps1')

if ($Native) {
    $arguments = @()
    if ($Apply) { $arguments += '--apply' }
    if ($Force) { $arguments += '--force' }
    Invoke-Native 'reset-data.sh' $arguments
}
Assert-Docker
Write-Output 'would be removed:'
foreach ($project in 'chartly', 'chartly-drone') {
    docker volume ls --quiet --filter "label=com.docker.compose.project=$project" | ForEach-Object { Write-Output "  volume $_" }
}
if (-not $Apply) {
    Write-Output 'nothing was removed; add -Apply to do it'
    exit 0
}
if (-not $Force) {
    $word = Read-Host 'Type RESET to remove all of it'
    if ($word -cne 'RESET') { Stop-WithError 65 'the word was not RESET; nothing was removed' }
}
$env:CONTROL_PLANE = 'none'
$env:REGISTRY_API_KEY = 'none'
Invoke-Compose $DroneFile @('down', '--volumes')
$env:COMPOSE_PROFILES = 'postgres'
Invoke-Compose $ControlFile @('down', '--volumes')
Write-Output 'the data is gone'
