/* SPDX-License-Identifier: Apache-2.0 */
/* base/sanitized.h -- is this a build that watches itself? */
#ifndef GINNEL_BASE_SANITIZED_H
#define GINNEL_BASE_SANITIZED_H

#include <stdbool.h>

/* Clang tells by a feature, gcc by a macro. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#endif
