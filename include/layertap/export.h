/* What every public header needs: symbol visibility, C linkage, must-use results. */
#ifndef LAYERTAP_EXPORT_H
#define LAYERTAP_EXPORT_H

#if defined(__GNUC__)
#define LTAP_API                 __attribute__((visibility("default")))
#define LTAP_MUST_USE            __attribute__((warn_unused_result))
#define LTAP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LTAP_API
#define LTAP_MUST_USE
#define LTAP_PRINTF(format, first)
#endif

#ifdef __cplusplus
#define LTAP_BEGIN extern "C" {
#define LTAP_END   }
#else
#define LTAP_BEGIN
#define LTAP_END
#endif

#endif
