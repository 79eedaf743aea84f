<#
.SYNOPSIS
Stops drones and control plane of this machine, in this order. Data stays where it is.
#>
param(
    # Without Docker: in WSL.
    [switch] $Native
)

. (Join-Path $PSScriptRoot 'lib.ps1')

if ($Native) { Invoke-Native 'stop-all.sh' @() }
Assert-Docker
# Only to name what is stopped: these variables are asked for by the file.
$env:CONTROL_PLANE = 'none'
$env:REGISTRY_API_KEY = 'none'
Invoke-Compose $DroneFile @('down')
$env:COMPOSE_PROFILES = 'postgres'
Invoke-Compose $ControlFile @('down')
Write-Output 'everything is stopped; the data is kept (scripts\reset-data.ps1 removes it)'
