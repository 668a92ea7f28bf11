/* The one place where msgpuck's tables and out-of-line functions are compiled: its header alone is
 * used, never its archive. The build hides its names (-fvisibility=hidden), as it does all others
 * that the public header does not declare. */
#define MP_SOURCE 1
#include <msgpuck.h>
