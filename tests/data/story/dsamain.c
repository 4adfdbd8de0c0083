/* SPDX-License-Identifier: MIT */
/*
 * The Directory service of the story. V2, as the service pack brings it, calls an
 * entry point that only the new mdbperf.dll has: with the old one, Windows does
 * not start it ("Entry Point Not Valid"), and Wine ends it when it calls.
 */
#include <stdio.h>

__declspec(dllimport) int EcPerfOpen(void);
__declspec(dllimport) int EcPerfOpenEx(int level);

int main(void)
{
#ifdef V2
	int counters = EcPerfOpenEx(2);
#else
	int counters = EcPerfOpen();
#endif

	printf("dsamain.exe %s: the Directory service runs, %d counters\n", VERSION,
		counters);
	return 0;
}
