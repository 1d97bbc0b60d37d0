#include "frontend/cli.h"

int main(int argc, char** argv) { return reprise::run_cli(argc, argv); }
