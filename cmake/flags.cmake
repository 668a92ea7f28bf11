# Compiler flags of every target: the language, the warnings, the sanitizers.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wimplicit-fallthrough
                    -Werror)
add_compile_options($<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
                    $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)

# A sanitized build also walks whole structures (HF_AUDIT). A finding ends the program: nothing is
# recovered from, so no test can pass over it.
if(HOLDFAST_SANITIZE STREQUAL "address")
    set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(HOLDFAST_SANITIZE STREQUAL "thread")
    set(sanitizers -fsanitize=thread)
elseif(NOT HOLDFAST_SANITIZE STREQUAL "none")
    message(FATAL_ERROR "HOLDFAST_SANITIZE=${HOLDFAST_SANITIZE}: use none, address or thread")
endif()
if(sanitizers)
    add_compile_options(${sanitizers} -fno-omit-frame-pointer)
    add_compile_definitions(HF_AUDIT=1)
    add_link_options(${sanitizers})
endif()

if(HOLDFAST_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
        message(FATAL_ERROR "HOLDFAST_FUZZ needs clang: add -DCMAKE_C_COMPILER=clang")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
