@echo off
rem The main make targets for Windows. gunicorn does not run on Windows, so start and start-prod use WSL.
setlocal
cd /d "%~dp0"
set "VENV=.venv-win"
set "BIN=%VENV%\Scripts"
set "TARGET=%~1"
if "%TARGET%"=="" set "TARGET=help"
for %%T in (help install install-dev start start-prod test fmt lint) do if /i "%TARGET%"=="%%T" goto %%T
echo Unknown target: %TARGET% 1>&2
call :help
exit /b 2

:help
echo   make install      Install everything: virtual environment, pinned packages, the Claude Code CLI
echo   make install-dev  Also install the packages for tests and checks
echo   make start        Run for development (in WSL)
echo   make start-prod   Run for production (in WSL)
echo   make test         Check the style and run the tests that need no server
echo   make fmt          Fix the style
echo   make lint         Check style, types, the direction of imports, dependencies and prose
exit /b 0

:install
call :venv || exit /b 1
"%BIN%\python" -m pip install --quiet -r requirements.txt || exit /b 1
"%BIN%\python" -m gateway.command_line.get_claude || exit /b 1
exit /b 0

:install-dev
call :install || exit /b 1
"%BIN%\python" -m pip install --quiet -r requirements-dev.txt || exit /b 1
exit /b 0

:start
call :wsl start
exit /b %errorlevel%

:start-prod
call :wsl start-prod
exit /b %errorlevel%

:test
call :install-dev || exit /b 1
call :lint || exit /b 1
"%BIN%\python" -m pytest -n auto tests/unit tests/http
exit /b %errorlevel%

:fmt
"%BIN%\ruff" check --fix-only --quiet || exit /b 1
"%BIN%\ruff" format
exit /b %errorlevel%

:lint
"%BIN%\ruff" check --quiet || exit /b 1
"%BIN%\ruff" format --check --quiet || exit /b 1
"%BIN%\mypy" gateway tests scripts bench wsgi.py || exit /b 1
"%BIN%\lint-imports" --no-logo || exit /b 1
"%BIN%\deptry" --no-ansi . || exit /b 1
"%BIN%\python" scripts\check_prose.py
exit /b %errorlevel%

:venv
if exist "%BIN%\python.exe" exit /b 0
py -3 -m venv %VENV% || python -m venv %VENV%
exit /b %errorlevel%

:wsl
where wsl >nul 2>nul || (
    echo gunicorn does not run on Windows. Install WSL with: wsl --install 1>&2
    exit /b 1
)
wsl make %1
exit /b %errorlevel%
