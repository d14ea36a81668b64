@echo off
rem Start the gateway in development mode. It runs in WSL: see docs/deploy.md.
call "%~dp0make.bat" start
exit /b %errorlevel%
