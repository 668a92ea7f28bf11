// The public header compiles alone as C++17, under the warnings of the project.
#include <holdfast.h>
